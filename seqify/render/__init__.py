"""Renderers of a report, one for each format."""

__all__: list[str] = []
