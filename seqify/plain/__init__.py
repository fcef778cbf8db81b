"""A plain class for a live model: its layers with their arguments, its forward as it was seen to run."""

from seqify.plain.module import PlainClass, write_class

__all__ = ["PlainClass", "write_class"]
