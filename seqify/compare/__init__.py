"""The comparison: two modules side by side, graphs and numbers."""

__all__ = []
