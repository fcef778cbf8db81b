"""The proof: two modules lowered to ATen, and their graphs compared."""

__all__ = []
