"""What is remembered of rows that were sent to an API, on both databases."""

from datetime import UTC, datetime

from jobs.contract import Delivery
from worker.store import deliveries
from worker.store.database import Database

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def test_a_delivery_keeps_the_run_that_sent_it(database: Database) -> None:
    """What a later run puts back, as it sent nothing, is still the earlier one's; what it sends is its own."""
    with database.write() as connection:
        deliveries.put(
            connection, "crm", [Delivery("a", "1", "delivered", "o1"), Delivery("b", "1", "refused")], 7, NOW
        )
    with database.read() as connection:
        first = deliveries.of_keys(connection, "crm", ["a", "b"])
    assert first["a"] == Delivery("a", "1", "delivered", "o1", 7)
    with database.write() as connection:
        deliveries.put(connection, "crm", [first["a"], Delivery("b", "2", "sending")], 8, NOW)
    with database.read() as connection:
        again = deliveries.of_keys(connection, "crm", ["a", "b"])
    assert {key: one.run_id for key, one in again.items()} == {"a": 7, "b": 8}
