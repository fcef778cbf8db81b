"""The edit emitter: a plan becomes edits of the user's own file."""

from seqify.emit.rewrite import Rewrite, emit

__all__ = ["Rewrite", "emit"]
