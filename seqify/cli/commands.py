"""The commands: the group they stand in, and those that run no user code."""

from __future__ import annotations

from typing import Any

import click

from seqify.cli.convert import convert
from seqify.cli.verify import verify
from seqify.diagnostics import RULES
from seqify.version import __version__, environment

__all__ = ["main"]

_INTERRUPTED = 130  # as a shell has it: 128 and the number of the signal


class _Group(click.Group):
    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except KeyboardInterrupt:
            click.echo("\nInterrupted.", err=True)
            raise SystemExit(_INTERRUPTED) from None


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="seqify")
def main() -> None:
    """Turn a hand-written forward into an nn.Sequential, and show that nothing changed."""


@main.command()
@click.argument("code", required=False)
def rule(code: str | None) -> None:
    """What a diagnostic CODE means; all of them without one."""
    if code is None:
        for row in RULES.values():
            click.echo(f"{row.code}  {row.severity:<8} {row.name:<24} {row.summary}")
        return
    found: Any = RULES.get(code.upper())
    if found is None:
        raise click.UsageError(f"no code {code}; `seqify rule` lists them")
    click.echo(f"{found.code} {found.name} ({found.severity})\n\nMeans    {found.summary}\nHelp     {found.help}")


@main.command()
def env() -> None:
    """The versions that a bug report needs."""
    for name, value in environment().items():
        click.echo(f"{name:<10}{value}")


main.add_command(convert)
main.add_command(verify)
