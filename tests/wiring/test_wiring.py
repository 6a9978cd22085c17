"""What only the joined parts can tell: own tables, the key ring against the database, all missing secrets at once."""

from pathlib import Path

import pytest

from worker.config.load import load
from worker.model.errors import ConfigurationError, KeyRingError
from worker.store import keyring
from worker.store.database import Database
from worker.vault.keyring import KeyRing, create
from worker.wiring.checks import verify
from worker.wiring.databases import prepare
from worker.wiring.secrets import fetch

_CONFIG = """
[vault]
keys = {{ file = "worker.keys" }}

[databases.same]
url = "sqlite:///worker.db"

[accounts.erp]
base_url = "https://erp.example.com"
token_url = "https://erp.example.com/token"
client_id = "worker"
client_secret = {{ file = "secrets/erp" }}

[jobs.orders]
type = "sync"
source = {{ account = "erp", path = "/orders" }}
destination = {{ {destination}, key = "id" }}
"""


def _config(folder: Path, destination: str = 'table = "orders"') -> Path:
    path = folder / "config.toml"
    path.write_text(_CONFIG.format(destination=destination))
    return path


@pytest.mark.parametrize(
    "destination", ['table = "runs"', 'table = "Tokens"', 'table = "job_health"', 'database = "same", table = "calls"']
)
def test_no_job_may_write_to_a_table_of_the_workers_own(tmp_path: Path, destination: str) -> None:
    """The problem names file, line and key; the ledger is not for rows of others."""
    configuration = load(_config(tmp_path, destination), {})

    with pytest.raises(ConfigurationError) as caught:
        verify(configuration)

    (problem,) = caught.value.problems
    assert (problem.key, problem.line) == ("jobs.orders.destination.table", 17)


def test_another_table_may_be_written_to(tmp_path: Path) -> None:
    """A table of any other name is the job's."""
    verify(load(_config(tmp_path), {}))


def test_everything_that_is_missing_is_told_at_once(tmp_path: Path) -> None:
    """A key ring and a secret that are not there are two problems, each with its place and where was looked."""
    configuration = load(_config(tmp_path), {})

    with pytest.raises(ConfigurationError) as caught:
        fetch(configuration)

    assert [problem.key for problem in caught.value.problems] == ["accounts.erp.client_secret", "vault.keys"]
    assert str(tmp_path / "secrets" / "erp") in str(caught.value)


def _ring(folder: Path, name: str) -> KeyRing:
    create(folder / name)
    return KeyRing.parse((folder / name).read_text(), name)


def test_another_key_ring_is_refused_and_changes_nothing(database: Database, tmp_path: Path) -> None:
    """The error names the key the database is sealed with; the database still knows only that one."""
    right, wrong = _ring(tmp_path, "right"), _ring(tmp_path, "wrong")
    prepare(database, right)

    with pytest.raises(KeyRingError, match=right.active):
        prepare(database, wrong)

    with database.read() as connection:
        assert [row.key_id for row in keyring.rows(connection)] == [right.active]


def test_another_key_under_the_same_id_is_refused(database: Database, tmp_path: Path) -> None:
    """The id alone proves nothing; the check value does."""
    right, wrong = _ring(tmp_path, "right"), _ring(tmp_path, "wrong")
    forged = (tmp_path / "wrong").read_text().replace(wrong.active, right.active)
    prepare(database, right)

    with pytest.raises(KeyRingError, match="another key under the id"):
        prepare(database, KeyRing.parse(forged, "forged"))


def test_a_ring_with_a_new_key_on_top_is_taken(database: Database, tmp_path: Path) -> None:
    """The new key becomes active, the old one stays known until it is retired."""
    right, newer = _ring(tmp_path, "right"), _ring(tmp_path, "newer")
    prepare(database, right)
    both = (tmp_path / "newer").read_text() + "\n" + (tmp_path / "right").read_text()

    prepare(database, KeyRing.parse(both, "both"))

    with database.read() as connection:
        states = {row.key_id: row.state for row in keyring.rows(connection)}
    assert states == {right.active: "old", newer.active: "active"}
