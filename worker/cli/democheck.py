"""Whether the demo did its job: every run succeeded, every row is equal, tokens were refreshed."""

from collections import Counter
from datetime import datetime

import requests
import sqlalchemy as sa

from worker.cli.demoback import back
from worker.cli.demofar import FarEnd, moment
from worker.cli.demofiles import TABLES
from worker.cli.demoview import Progress
from worker.cli.output import number, out
from worker.cli.tables import Column, listing
from worker.model.records import Purpose, RunState
from worker.store import calls, tokens
from worker.store.database import Database

_REFRESHES = 2  # at least so many, or the demo showed nothing


def verdict(database: Database, far_end: FarEnd, progress: Progress) -> bool:
    """Prints what came of the demo and returns whether it passed."""
    out.print("\n[bold]runs[/bold]")
    succeeded = _runs(progress)
    out.print("\n[bold]calls[/bold]")
    refreshes = _calls(database)
    out.print("\n[bold]tokens[/bold]")
    _tokens(database)
    out.print("\n[bold]rows[/bold]")
    equal = _rows(database, far_end)
    out.print("\n[bold]from one API to the other[/bold]")
    sent = back(database, far_end, progress)
    sent.show()
    out.print()
    verdicts = [
        (succeeded, "every run succeeded"),
        (equal, "rows in the tables equal rows at the far end"),
        *sent.verdicts(),
        (refreshes >= _REFRESHES, f"tokens were refreshed {refreshes} times"),
    ]
    for passed, words in verdicts:
        out.print(f"[green]yes[/green] {words}" if passed else f"[red]no [/red] {words}")
    return all(passed for passed, _ in verdicts)


def _runs(progress: Progress) -> bool:
    outcomes = progress.outcomes()
    rows = [{"job": job, "state": state, "runs": count} for (job, state), count in sorted(outcomes.items())]
    listing(rows, [Column("job"), Column("state"), Column("runs", right=True)], as_json=False, empty="none")
    jobs = {job for job, _ in outcomes}
    return bool(jobs) and all(outcomes[job, RunState.SUCCEEDED] and not outcomes[job, RunState.FAILED] for job in jobs)


def _calls(database: Database) -> int:
    with database.read() as connection:
        stats = calls.stats(connection)
    rows = [vars(one) for one in stats]
    columns = [
        Column("account"),
        Column("purpose"),
        Column("status", right=True),
        Column("calls", show=number, right=True),
        Column("mean_ms", "average ms", "{:.1f}".format, right=True),
    ]
    listing(rows, columns, as_json=False, empty="none")
    return sum(one.calls for one in stats if one.purpose is Purpose.REFRESH and one.status == requests.codes.ok)


def _tokens(database: Database) -> None:
    with database.read() as connection:
        rows = [vars(one) for one in tokens.listing(connection)]
    columns = [Column("account"), Column("generation", right=True), Column("health")]
    listing(rows, columns, as_json=False, empty="none")


def _rows(database: Database, far_end: FarEnd) -> bool:
    rows, equal = [], True
    for table, (resource, key, changed) in TABLES.items():
        there = Counter((str(row[key]), moment(row[changed])) for row in far_end.rows(resource))
        here = Counter(_stored(database, table, key, changed))
        equal = equal and here == there
        rows.append({"table": table, "here": here.total(), "there": there.total(), "differ": len(here - there)})
    columns = [
        Column("table"),
        Column("here", "in the table", number, right=True),
        Column("there", "at the far end", number, right=True),
        Column("differ", show=number, right=True),
    ]
    listing(rows, columns, as_json=False, empty="none")
    return equal


def _stored(database: Database, table: str, key: str, changed: str) -> list[tuple[str, datetime]]:
    columns: list[sa.ColumnClause[str]] = [sa.column(key), sa.column(changed)]
    wanted = sa.select(*columns).select_from(sa.table(table))
    with database.read() as connection:
        if not sa.inspect(connection).has_table(table):
            return []
        return [(str(row[0]), moment(row[1])) for row in connection.execute(wanted)]
