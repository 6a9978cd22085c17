"""The trail by token: which call obtained each generation, and which calls it made."""

from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from worker.cli.output import ago, clock, number
from worker.cli.tables import Column, listing
from worker.model.account import AccountOptions
from worker.store import lineage
from worker.store.lineage import Descent

_COLUMNS = [
    Column("generation", "token", lambda generation: f"gen. {generation}"),
    Column("obtained", show=ago, rank=1),
    Column("by", rank=2),
    Column("call", rank=5, right=True),
    Column("status", rank=6, right=True),
    Column("from", "out of", lambda generation: f"gen. {generation}", rank=7),
    Column("calls", show=number, right=True),
    Column("first_at", "first", clock, rank=4),
    Column("last_at", "last", clock, rank=3),
    Column("rejected", show=number, right=True),
    Column("rejected_call", "first rejected", right=True, rank=8),
]


def print_lineage(
    connection: sa.Connection, options: AccountOptions, account: str, limit: int, *, as_json: bool
) -> None:
    """Prints an account's tokens, newest first."""
    found = lineage.of_account(connection, account, options.reject_statuses, limit)
    rows = [asdict(one) for one in found] if as_json else [_row(one) for one in found]
    listing(rows, _COLUMNS, as_json=as_json, empty="No call yet.")


def _row(descent: Descent) -> dict[str, Any]:
    row = {"generation": descent.generation, **asdict(descent.usage), "rejected": descent.usage.rejected or None}
    if (origin := descent.origin) is not None:
        row |= {"obtained": origin.at, "by": origin.purpose, "call": origin.call, "status": origin.status}
        row["from"] = origin.generation_used or None
    return row
