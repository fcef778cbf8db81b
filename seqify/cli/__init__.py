"""The command line, a file for each command."""

from seqify.cli.commands import main

__all__ = ["main"]
