"""What is configured, as the ledger has it."""

from datetime import UTC, datetime

from worker.store import jobs
from worker.store.database import Database

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_definition_once_told_is_seen_for_good(database: Database) -> None:
    """A start need not tell it again, though the job has another one since."""
    first, second = (jobs.Definition(digest, f"text of {digest}", NOON) for digest in ("a" * 64, "b" * 64))
    with database.write() as connection:
        assert jobs.seen(connection) == set()
        jobs.configure(connection, [jobs.JobRow("orders", first.hash, True, NOON)], [first])
        jobs.configure(connection, [jobs.JobRow("orders", second.hash, True, NOON)], [second])
        assert jobs.seen(connection) == {first.hash, second.hash}
        assert jobs.defined(connection) == {"orders": second}
