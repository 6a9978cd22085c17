"""The command `worker`: its verbs, and the exit code of every way it can end."""

import os
import sys
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from worker.daemon.init import as_child_of_init
from worker.watch.crashes import hooked
from worker.watch.memory import collect_seldom

_DAEMON_ITSELF = "run"
_DAEMON, _LOOK, _ASK, _SET_UP, _TRY = "The daemon", "Look", "Ask", "Set up", "Try"


@dataclass(frozen=True)
class Verb:
    """One verb: the module in worker.cli whose `app` holds it, where the list shows it, and what for."""

    room: str
    panel: str
    summary: str


VERBS = {
    _DAEMON_ITSELF: Verb("daemon", _DAEMON, "Run the daemon until TERM or INT."),
    "reload": Verb("reload", _DAEMON, "Ask the daemon to read its configuration again."),
    "health": Verb("health", _LOOK, "Tell whether a daemon works; exit 1 where none does."),
    "jobs": Verb("jobs", _LOOK, "List the jobs and how each has been doing."),
    "plan": Verb("plan", _LOOK, "Draw the coming fires of all jobs, and what collides."),
    "simulate": Verb("simulate", _LOOK, "Let schedules and policies go through a span of time in advance."),
    "history": Verb("history", _LOOK, "List runs, newest first."),
    "show": Verb("show", _LOOK, "Show one run whole: its attempts, calls and rejects."),
    "rejects": Verb("rejects", _LOOK, "List records that did not get through, and why."),
    "explain": Verb("explain", _LOOK, "Say why a job ran, did not, or will not."),
    "calls": Verb("trail", _LOOK, "List authenticated calls, newest first."),
    "resources": Verb("resources", _LOOK, "List what profiles know: resources and destinations."),
    "commands": Verb("commands", _LOOK, "List what operators asked for, and what came of it."),
    "account": Verb("accounts", _LOOK, "Accounts: whether their credentials work."),
    "cursor": Verb("cursors", _ASK, "Cursors: how far a job has got; show, set, reset."),
    "preview": Verb("preview", _ASK, "Show what a run would do: real reads, nothing written."),
    "trigger": Verb("trigger", _ASK, "Ask the daemon to run a job now."),
    "replay": Verb("replay", _ASK, "Ask the daemon for a run, or for rejects, once more."),
    "backfill": Verb("backfill", _ASK, "Run a job for a span of the past, or list how far that is."),
    "cancel": Verb("cancel", _ASK, "Cancel a run, or a job's run that is underway."),
    "pause": Verb("pause", _ASK, "Hold jobs back until they are resumed."),
    "resume": Verb("pause", _ASK, "Let paused jobs go on."),
    "check": Verb("setup", _SET_UP, "Check the configuration, its references and its secrets."),
    "schema": Verb("setup", _SET_UP, "Print the JSON Schema of the configuration, for editors."),
    "keys": Verb("keys", _SET_UP, "The key ring that seals stored tokens."),
    "db": Verb("database", _SET_UP, "The worker's database: its schema, history and copies."),
    "demo": Verb("demo", _TRY, "Run the main job against a sandbox, and check the result."),
    "sandbox": Verb("far_end", _TRY, "Serve two APIs on loopback, to try a configuration against."),
}


def load(name: str) -> Any:  # noqa: ANN401  a command; its class stands in click or, vendored, in typer
    """Returns a verb's command, importing what is behind it only now: a list of verbs needs none of that."""
    group = typer.main.get_group(import_module(f"worker.cli.{VERBS[name].room}").app)
    return group.commands.get(name, group)


class Verbs(TyperGroup):
    """Lists the verbs from the table above; the one that is called is loaded."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401  typer's own
        super().__init__(**settings)
        for name, verb in VERBS.items():
            self.add_command(TyperCommand(name, help=verb.summary, rich_help_panel=verb.panel))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401  see `load`
        """Returns name, command and what is left of the command line."""
        name, command, rest = super().resolve_command(ctx, args)
        if name == _DAEMON_ITSELF:
            as_child_of_init()  # before anything is imported that would stay in process 1 for good
        return name, load(name) if name else command, rest


app = typer.Typer(
    name="worker",
    cls=Verbs,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # its tracebacks show locals, and those may hold secrets
    rich_markup_mode="markdown",
    help="Runs scheduled sync jobs under service accounts against OAuth 2 protected REST APIs.\n\n"
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 78 wrong configuration.",
    epilog="Begin with `worker demo`; then copy config.example.toml to config.toml, and run "
    "`worker check`. Every verb has `--help` with an example.",
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001  typer hands the flag over by position
    if wanted:
        typer.echo(f"integration-worker {version('integration-worker')}")
        raise typer.Exit


@app.callback()
def _worker(
    _version: Annotated[  # noqa: FBT002  an option, never given by position
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, metavar="", help="Print the version."),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Runs the command line; every error becomes one clear message and its exit code."""
    collect_seldom()
    os.umask(0o077)  # whatever this process makes is nobody else's to read
    for name in ("stdout", "stderr"):
        _open(name)
    try:
        with hooked(_stray):
            app(prog_name="worker")
    except Exception as error:  # noqa: BLE001  whatever it is, it is told without secrets
        from worker.cli.ending import tell  # noqa: PLC0415  `--help` does without the errors of all rooms

        sys.exit(tell(error))


def _open(name: str) -> None:
    """Makes a stream take every character, whatever the locale; one that was closed takes all and keeps nothing."""
    stream = getattr(sys, name)
    if stream is None:  # and a file opened later would get its number, and what is printed
        setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  open until the process ends
    elif isinstance(stream, TextIOWrapper):  # a test's own is none
        stream.reconfigure(errors="backslashreplace")


def _stray(part: str, what: str) -> None:
    """Prints an error that nobody caught, of another thread or of an object's end."""
    from worker.cli.ending import tell_stray  # noqa: PLC0415  as above

    tell_stray(part, what)
