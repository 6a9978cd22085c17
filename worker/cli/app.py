"""The command `worker`: its verbs, and the exit code of every way it can end.

Exit codes: 0 done, 1 failed, 2 wrong usage, 78 the configuration is wrong (sysexits EX_CONFIG; do not restart).
"""

import os
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from jobs.contract import WorkerError
from worker.cli import accounts, daemon, database, demo, far_end, history, keys, trigger
from worker.cli.output import fail
from worker.model.errors import ConfigurationError, KeyRingError, SchemaMismatch, SecretError

EXIT_CONFIGURATION = 78
_WRONG_SETUP = (ConfigurationError, KeyRingError, SecretError, SchemaMismatch)

app = typer.Typer(
    name="worker",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # its tracebacks show locals, and those may hold secrets
    rich_markup_mode="rich",
    help="Runs scheduled sync jobs under service accounts against OAuth 2 protected REST APIs.",
    epilog="Begin with [bold]worker demo[/bold], then copy config.example.toml to config.toml and run "
    "[bold]worker check[/bold].",
)


def _version(wanted: bool) -> None:  # noqa: FBT001  typer hands the flag over by position
    if wanted:
        typer.echo(f"integration-worker {version('integration-worker')}")
        raise typer.Exit


@app.callback()
def _worker(
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,  # noqa: FBT002  an option, never given by position
) -> None:
    pass


for group in (daemon, history, trigger, far_end, demo):
    group.add_to(app)
app.add_typer(accounts.app, name="account")
app.add_typer(keys.app, name="keys")
app.add_typer(database.app, name="db")


def main() -> None:
    """Runs the command line; every error of ours becomes one clear message and its exit code."""
    os.umask(0o077)  # whatever this process makes is nobody else's to read
    try:
        app()
    except WorkerError as error:
        fail(str(error))
        sys.exit(EXIT_CONFIGURATION if isinstance(error, _WRONG_SETUP) else 1)
    except BrokenPipeError:  # `worker history | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
