"""`python -m seqify`."""

from seqify.cli import main

main(prog_name="seqify")
