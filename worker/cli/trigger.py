"""The verb that asks for a run now, and can watch it."""

from typing import Annotated

import orjson
import typer

from jobs.contract import Json
from worker.cli.asking import post, say_posted, watched
from worker.cli.opening import DEFAULT_CONFIG, ConfigPath, known, opened
from worker.cli.output import JsonFlag, room

app = room()


@app.command(epilog="Examples: `worker trigger tangoe-devices --wait`, `worker trigger orders --param region=eu`")
def trigger(
    job: Annotated[str, typer.Argument(help="The job to run.")],
    param: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="A parameter of the run; may be repeated.")
    ] = None,
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    wait: Annotated[
        bool, typer.Option("--wait", metavar="", help="Watch the run until it ends; exit 1 unless it succeeds.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Ask the daemon to run a job now.

    The request is kept in the database; without a daemon it waits for the next start. The JSON has `request`,
    `job` and `daemon` (whether one works now); with --wait it is the run as `worker history --json` has it.
    """
    with opened(config) as (configuration, database):
        request = post(database, "trigger", known(job, configuration.jobs, "job"), _params(param or []))
        if wait:
            watched(database, job, request, as_json=as_json)
        else:
            say_posted(database, job, request, as_json=as_json)


def _params(given: list[str]) -> dict[str, Json]:
    pairs = [item.partition("=") for item in given]
    wrong = [key for key, equals, _ in pairs if not equals or not key]
    if wrong:
        raise typer.BadParameter(f"expected key=value, found {wrong[0]!r}", param_hint="--param")
    return {key: _value(text) for key, _, text in pairs}


def _value(text: str) -> Json:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
