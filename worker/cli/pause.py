"""The verbs that hold jobs and accounts back, and let them go on."""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

import typer

from jobs.contract import Json
from worker.cli.opening import DEFAULT_CONFIG, ConfigPath, known, opened
from worker.cli.orders import Order, Wait
from worker.cli.output import JsonFlag
from worker.cli.rooms import room
from worker.config.load import Configuration

app = room()

_Job = Annotated[str, typer.Argument(metavar="JOB", help="The job; 'tangoe-*' names all that begin so.")]
_Account = Annotated[str, typer.Option("--account", metavar="NAME", help="An account: all jobs that run under it.")]
_All = Annotated[bool, typer.Option("--all", metavar="", help="Every job.")]


@dataclass(frozen=True)
class _Subject:
    """Whom a verb is about, as it was typed: one of the three."""

    job: str
    account: str
    every: bool

    def named(self, configuration: Configuration) -> tuple[str, str]:
        """Returns what the verb is called for it, and its name; raises BadParameter."""
        if bool(self.job) + bool(self.account) + self.every != 1:
            raise typer.BadParameter("name either a job, or --account NAME, or --all")
        if self.account:
            return " account", known(self.account, configuration.accounts, "account")
        name = "*" if self.every else self.job
        if not any(fnmatchcase(job, name) for job in configuration.jobs):
            known(name, configuration.jobs, "job")
        return "", name


@app.command(epilog="Examples: `worker pause orders --why 'ERP is moved'`, `worker pause --account erp`")
def pause(  # noqa: PLR0913  one for each option
    job: _Job = "",
    account: _Account = "",
    why: Annotated[str | None, typer.Option(metavar="TEXT", help="For those who wonder later.")] = None,
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    every: _All = False,
    wait: Wait = False,
    as_json: JsonFlag = False,
) -> None:
    """Hold jobs back until they are resumed, over restarts and reloads: their ticks are skipped with that reason.

    What runs goes on, and `worker trigger` still runs a paused job. `worker jobs` shows who paused what, and why. The
    JSON has request, verb, target and outcome.
    """
    _ask(config, "pause", _Subject(job, account, every), {"why": why}, (wait, as_json))


@app.command(epilog="Examples: `worker resume orders --run-now`, `worker resume --account erp`")
def resume(  # noqa: PLR0913  one for each option
    job: _Job = "",
    account: _Account = "",
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    every: _All = False,
    run_now: Annotated[bool, typer.Option("--run-now", metavar="", help="Run each job that was paused, too.")] = False,
    wait: Wait = False,
    as_json: JsonFlag = False,
) -> None:
    """Let paused jobs go on, and jobs that the worker put in quarantine: they run at their next tick.

    What they skipped is not made up for; `worker backfill` does that. The JSON is that of `worker pause`.
    """
    if account and run_now:
        raise typer.BadParameter("--run-now goes with jobs", param_hint="--run-now")
    _ask(config, "resume", _Subject(job, account, every), {"run_now": run_now or None}, (wait, as_json))


def _ask(config: Path, verb: str, subject: _Subject, arguments: Mapping[str, Json], how: tuple[bool, bool]) -> None:
    wait, as_json = how
    with opened(config) as (configuration, database):
        kind, target = subject.named(configuration)
        Order.post(database, f"{verb}{kind}", target, arguments).tell(wait=wait, as_json=as_json)
