"""The verb that lists what profiles know: the resources to read and the destinations to write to."""

from dataclasses import asdict
from typing import Annotated

import typer

from jobs.contract import WorkerError
from worker.cli.opening import DEFAULT_CONFIG, ConfigPath
from worker.cli.output import JsonFlag
from worker.cli.rooms import room
from worker.cli.tables import Column, listing
from worker.config.bases import built_in
from worker.config.catalogue import Known, catalogue
from worker.config.load import Configuration, load
from worker.config.nearest import hint

app = room()

_COLUMNS = [
    Column("profile"),
    Column("resource"),
    Column("kind", rank=1),
    Column("path", rank=5),
    Column("paging", rank=4),
    Column("key", show=", ".join, rank=2),
    Column("cursor", rank=3),
    Column("description", long=True),
]


@app.command(epilog="Example: `worker resources servicenow`, then `source = { account = ..., resource = ... }`")
def resources(
    account: Annotated[str | None, typer.Argument(metavar="ACCOUNT", help="The account; none: every profile.")] = None,
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    as_json: JsonFlag = False,
) -> None:
    """List what an account's profile knows: resources to read and destinations to write to, by their names.

    Where it says table/NAME, a job names what it means: resource = "table/incident". Without an account every profile
    is listed; where there is no configuration yet, those that come with the worker. The JSON has profile, resource,
    kind (source, deletions, destination), path, paging, key, cursor, description.
    """
    if account is None and config == DEFAULT_CONFIG and not config.exists():
        found = catalogue({}, built_in())
    else:
        found = _of(load(config), account)
    rows = [asdict(known) for known in found]
    columns = _COLUMNS if account is None else _COLUMNS[1:]
    listing(rows, columns, as_json=as_json, empty="The profile knows no resources; write path at a job's source.")


def _of(configuration: Configuration, account: str | None) -> list[Known]:
    """Returns what the account's profile knows, or every profile; raises BadParameter, or WorkerError without one."""
    if account is None:
        return catalogue(configuration.profiles, sorted({*built_in(), *configuration.profiles}))
    if account not in configuration.accounts:
        raise typer.BadParameter(f"no account {account} is configured; {hint(account, configuration.accounts)}")
    name = configuration.accounts[account].profile
    if not name:
        raise WorkerError(
            f"the account {account} has no profile to know resources by; write path at a job's source, or give the "
            f"account a profile: {', '.join(sorted({*built_in(), *configuration.profiles}))}"
        )
    return catalogue(configuration.profiles, [name])
