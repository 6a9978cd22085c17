"""A room of the command line; apart from how verbs speak, for the daemon's own verb paints no terminal."""

import typer


def room(help_: str | None = None) -> typer.Typer:
    """Returns a set of verbs; with help of its own, a verb with verbs beneath it."""
    return typer.Typer(help=help_, no_args_is_help=True, rich_markup_mode="markdown")
