"""Renderers of a report, one for each format."""

__all__ = ["github", "markdown", "progress", "text", "words"]
