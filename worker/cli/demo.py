"""The verb that shows the product at its main job: a sandbox and a real daemon as child processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import orjson
import typer

from jobs.contract import WorkerError
from worker.cli import demofiles
from worker.cli.demoback import SPOILED
from worker.cli.democheck import verdict
from worker.cli.demofar import FarEnd
from worker.cli.demoview import Progress
from worker.cli.opening import opened
from worker.cli.output import out
from worker.cli.rooms import room
from worker.config.configuration import JobDefinition
from worker.model.schedules import After

_CHURN_EVERY_S = 0.5
_STARTS_WITHIN_S = 20.0
_SETTLES_WITHIN_S = 40.0
_ENDS_WITHIN_S = 20.0
_TOKENS_LIVE_S = 10

app = room()


@app.command(epilog="Example: `worker demo --keep`")
def demo(
    folder: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the demo writes its files.")] = Path("demo"),
    seconds: Annotated[float, typer.Option(min=20, metavar="S", help="How long the far end keeps changing.")] = 25.0,
    rows: Annotated[int, typer.Option(min=1, metavar="N", help="Rows of each resource at the far end.")] = 300,
    *,
    keep: Annotated[bool, typer.Option("--keep", metavar="", help="Let both go on until Ctrl-C.")] = False,
) -> None:
    """Run the main job against a sandbox on this machine, show it live, and check the result row by row.

    A sandbox and a real `worker run` start as processes of their own, in a folder with a configuration as you
    would write it. Exits 0 only if every run succeeded, tokens were refreshed, and no row differs.
    """
    signal.signal(signal.SIGTERM, _leave)
    with ExitStack() as stack:
        far_end = stack.enter_context(_sandbox(rows))
        FarEnd(far_end["url"]).spoil(SPOILED)
        config = demofiles.write(folder, far_end)
        daemon = stack.enter_context(_child(_worker("run", "--config", str(config))))
        _explain(config, far_end)
        passed = _watch(config, FarEnd(far_end["url"]), daemon, seconds)
        _tell_more(config, passed=passed)
        if keep:
            _until_interrupted(daemon)
    if not passed:
        raise typer.Exit(1)


def _leave(number: int, _frame: FrameType | None) -> None:
    """Ends the demo as Ctrl-C does, so that no child process is left behind."""
    sys.exit(128 + number)


@contextmanager
def _sandbox(rows: int) -> Iterator[dict[str, str]]:
    """Yields what a sandbox in a child process tells of itself; its tokens live ten seconds."""
    command = _worker("sandbox", "--json", "--rows", str(rows), "--token-lifetime", str(_TOKENS_LIVE_S))
    with _child(command, stdout=subprocess.PIPE) as process:
        if process.stdout is None:
            raise AssertionError("its output is a pipe")
        told = b""
        for line in process.stdout:
            told += line
            if line == b"}\n":
                break
        if not told:
            raise WorkerError("the sandbox did not start; see its message above")
        yield orjson.loads(told)


def _worker(*arguments: str) -> list[str]:
    # -P: a file jobs.py in the current folder would else stand in for our package
    return [sys.executable, "-P", "-m", "worker", *arguments]


@contextmanager
def _child(command: list[str], **options: Any) -> Iterator[subprocess.Popen[bytes]]:  # noqa: ANN401  Popen's own
    """Yields a child process in a session of its own, so that Ctrl-C reaches it through us alone; then ends it."""
    with subprocess.Popen(command, start_new_session=True, **options) as process:  # noqa: S603  our own command
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(_ENDS_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _explain(config: Path, far_end: dict[str, str]) -> None:
    out.print("[bold]Integration Worker[/bold] syncs two APIs into SQLite, and one of them into the other.\n")
    out.print(f"  far end   {far_end['url']}, two APIs whose tokens live {_TOKENS_LIVE_S} s", soft_wrap=True)
    out.print(f"  config    {config}, {config.parent}/jobs.d/*.toml", soft_wrap=True)
    out.print(f"  database  {config.parent}/worker.db, log {config.parent}/worker.log\n", soft_wrap=True)


def _watch(config: Path, far_end: FarEnd, daemon: subprocess.Popen[bytes], seconds: float) -> bool:
    _wait_for_database(config, daemon)
    with opened(config) as (configuration, database):
        progress = Progress(database, {name: _parents(job) for name, job in configuration.jobs.items()})
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            _is_alive(daemon)
            far_end.churn(3)
            progress.show_news()
            time.sleep(_CHURN_EVERY_S)
        out.print("\n[dim]the far end rests now; each job runs once more, then rows are compared[/dim]")
        ends = time.monotonic() + _SETTLES_WITHIN_S
        quiet = progress.quiet_since()
        while not progress.all_succeeded_since(quiet) and time.monotonic() < ends:
            _is_alive(daemon)
            progress.show_news()
            time.sleep(_CHURN_EVERY_S)
        progress.show_news()
        return verdict(database, far_end, progress)


def _parents(job: JobDefinition) -> tuple[str, ...]:
    schedule = job.policy.schedule
    return schedule.after if isinstance(schedule, After) else ()


def _wait_for_database(config: Path, daemon: subprocess.Popen[bytes]) -> None:
    ends = time.monotonic() + _STARTS_WITHIN_S
    while time.monotonic() < ends:
        _is_alive(daemon)
        try:
            with opened(config) as (_, database):
                Progress(database, {})
                return
        except WorkerError:
            time.sleep(0.1)
    raise WorkerError(f"the daemon was not ready within {_STARTS_WITHIN_S:g} s; see {config.parent}/worker.log")


def _is_alive(daemon: subprocess.Popen[bytes]) -> None:
    if daemon.poll() is not None:
        raise WorkerError(f"the daemon ended with exit code {daemon.returncode}; its message stands above")


def _tell_more(config: Path, *, passed: bool) -> None:
    worker = os.path.relpath(sys.argv[0]) if Path(sys.argv[0]).name == "worker" else "python -m worker"
    option = f"--config {min(os.path.relpath(config), str(config), key=len)}"
    out.print("\nlook further:")
    for command in ("history", "jobs", "rejects", "preview tangoe-to-servicenow", "calls -n 20", "account list"):
        out.print(f"  {worker} {command} {option}", soft_wrap=True)
    out.print("\n[bold green]the demo passed[/bold green]" if passed else "\n[bold red]the demo failed[/bold red]")


def _until_interrupted(daemon: subprocess.Popen[bytes]) -> None:
    out.print("\nsandbox and daemon go on; Ctrl-C ends them")
    try:
        daemon.wait()
    except KeyboardInterrupt:
        out.print("ending")
