"""The functions-to-modules table."""

from seqify.ops.helpers import HELPERS, Helper
from seqify.ops.layer import Break, Layer, Words
from seqify.ops.match import match
from seqify.ops.table import OPS, Op

__all__ = ["HELPERS", "OPS", "Break", "Helper", "Layer", "Op", "Words", "match"]
