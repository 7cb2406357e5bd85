"""How commands print for people: the one place where text from servers, containers and providers reaches a terminal."""

from __future__ import annotations

import typer

from clawdet_infra.plaintext import plain


def echo(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Print a text for people at once, as `plain` makes it.  Raises BrokenPipeError where nobody reads it."""
    typer.echo(plain(text), err=err, nl=nl)
