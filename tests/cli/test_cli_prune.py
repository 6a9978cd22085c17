"""`worker db prune` and `worker db backup`, against a real file."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from jobs.ids import id_at
from tests.cli.conftest import Verb
from tests.cli.seeding import seed
from worker.model.moments import utc_now
from worker.store import tables
from worker.store.database import Database


@pytest.fixture(autouse=True)
def seeded(database: Database) -> None:
    """The installation's ledger, filled; one run is old."""
    seed(database)
    old = utc_now() - timedelta(days=200)
    row = {"id": id_at(old), "job": "orders", "cause": "manual:1", "trigger": "manual", "state": "failed"}
    with database.write() as connection:
        connection.execute(sa.insert(tables.runs).values(**row, created_at=old, params={}, definition_hash="d"))
        connection.execute(sa.update(tables.calls).values(run_id=row["id"]))


def test_prune_counts_then_deletes(worker: Verb) -> None:
    """--dry-run deletes nothing; the second time nothing is left to delete."""
    dry = worker("db", "prune", "--dry-run", "--json").json
    assert dry["runs"] == 1
    assert worker("db", "prune", "--dry-run").out.startswith("would delete 1 run")
    done = worker("db", "prune", "--json").json
    assert {**done, "attempts": 0} == {**dry, "attempts": 0}
    assert worker("db", "prune").out == "deleted nothing\n"


def test_backup_copies_the_database_whole(worker: Verb, folder: Path) -> None:
    """A file that only its owner reads, with every row; never over a file that is there."""
    said = worker("db", "backup", "copy.db", "--json").json
    copy = folder / "copy.db"
    assert said["bytes"] == copy.stat().st_size
    assert copy.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(copy)) as opened:
        assert opened.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert opened.execute("SELECT count(*) FROM runs").fetchone() == (4,)
    again = worker("db", "backup", "copy.db")
    assert again.code == 1
    assert "name a file that does not exist yet" in again.err
