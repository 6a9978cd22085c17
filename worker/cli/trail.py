"""The verb that lists the trail of calls."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from worker.cli.lineage import print_lineage
from worker.cli.opening import DEFAULT_CONFIG, LARGEST_ID, ConfigPath, known, opened
from worker.cli.output import JsonFlag, Limit, ago, clock, number
from worker.cli.rooms import room
from worker.cli.tables import Column, listing
from worker.model.records import Call
from worker.store import calls as trail

app = room()

CALL_COLUMNS = [
    Column("id", "call", right=True),
    Column("when", show=ago),
    Column("at", show=clock, rank=9),
    Column("account", rank=1),
    Column("job", rank=8),
    Column("purpose", rank=4),
    Column("status", right=True),
    Column("ms", show=number, right=True, rank=3),
    Column("bytes_in", "bytes", number, right=True, rank=5),
    Column("generation_used", "token", lambda generation: f"gen. {generation}", rank=7),
    Column("request", long=True, cut=True),
    Column("error", long=True, style="red"),
]


@app.command(epilog="Examples: `worker calls --account tangoe -n 20`, `worker calls --account tangoe --lineage`")
def calls(
    run: Annotated[
        int | None, typer.Argument(max=LARGEST_ID, help="Of this run only; the id that `worker history` lists.")
    ] = None,
    account: Annotated[str | None, typer.Option(metavar="NAME", help="Of this account only.")] = None,
    limit: Limit = 50,
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    lineage: Annotated[
        bool, typer.Option("--lineage", metavar="", help="By token: which call obtained it, which calls it made.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """List authenticated calls, newest first, token requests included.

    The JSON has the columns of the table `calls` (docs/database.md). With --lineage it has, for each generation of the
    account's token: generation, origin (call, at, purpose, method, url, status, generation_used) and usage (calls,
    first_at, last_at, rejected, rejected_call).
    """
    if lineage and (account is None or run is not None):
        raise typer.BadParameter("tokens are an account's: name it with --account, and no run", param_hint="--lineage")
    with opened(config) as (configuration, database), database.read() as connection:
        if account is not None:
            known(account, configuration.accounts, "account")
        if account is not None and lineage:
            print_lineage(connection, configuration.accounts[account], account, limit, as_json=as_json)
            return
        found = trail.listing(connection, run_id=run, account=account, limit=limit)
    rows = [asdict(call) for call in found] if as_json else call_rows(found)
    listing(rows, CALL_COLUMNS, as_json=as_json, empty="No call yet.")


def call_rows(calls: list[Call]) -> list[dict[str, Any]]:
    """Returns calls as rows of a table."""
    return [{**asdict(call), "when": call.at, "request": f"{call.method} {call.url}"} for call in calls]
