"""`worker health`: whether a daemon works, for supervisors and people."""

from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.cli.conftest import Verb
from worker.model.moments import new_id, utc_now
from worker.model.records import Node
from worker.store import nodes, tables
from worker.store.database import Database


@pytest.fixture(autouse=True)
def node(database: Database) -> None:
    """A daemon whose heart beats."""
    with database.write() as connection:
        nodes.register(connection, Node(new_id(), "worker-1", 7, "boot", utc_now(), database.lease_now(connection)))


def test_a_living_daemon_is_healthy(worker: Verb) -> None:
    """Its name, its process and its last heartbeat are told; the exit code is 0."""
    said = worker("health")
    assert said.code == 0
    assert "last heartbeat" in said.out
    document = worker("health", "--json").json
    assert document["alive"] is True
    assert {"id", "name", "pid", "silent_s"} <= set(document["nodes"][0])


@pytest.mark.parametrize("broken", ["jobs = [", "[jobs.x]\nschedule =", '[vault]\nkeys = "'])
def test_a_file_that_is_broken_elsewhere_makes_no_daemon_ill(worker: Verb, tmp_path: Path, broken: str) -> None:
    """It works by its last good configuration; where the database is can be read all the same."""
    file = tmp_path / "config.toml"
    file.write_text(f"{file.read_text()}\n{broken}\n")
    assert worker("health").code == 0


def test_a_database_that_cannot_be_read_is_told(worker: Verb, tmp_path: Path) -> None:
    """What is written of it in another way than below its header is not guessed at."""
    (tmp_path / "config.toml").write_text('database.url = "sqlite:///other.db"\njobs = [\n')
    said = worker("health")
    assert said.code == 78
    assert "config.toml:2" in said.err


def test_a_silent_daemon_is_none(worker: Verb, database: Database) -> None:
    """A heart that stopped beating longer than 30 seconds ago counts for nothing: exit 1, and what to do."""
    with database.write() as connection:
        long_ago = database.lease_now(connection) - timedelta(seconds=31)
        connection.execute(sa.update(tables.nodes).values(heartbeat_at=long_ago))
    said = worker("health")
    assert said.code == 1
    assert "start `worker run`" in said.err
    assert worker("health", "--json").json == {"alive": False, "nodes": []}
