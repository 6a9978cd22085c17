"""Which nodes live: each is judged by its own lease."""

from datetime import timedelta

from worker.model.moments import new_id, utc_now
from worker.model.records import Node
from worker.store import nodes
from worker.store.database import Database


def test_each_node_is_judged_by_its_own_lease(database: Database) -> None:
    """Nodes whose configurations differ do not take each other for dead."""
    short, long = (
        Node(new_id(), name, 1, "boot", utc_now(), utc_now(), lease_s=s) for name, s in (("s", 2), ("l", 60))
    )
    with database.write() as connection:
        now = database.lease_now(connection)
        for node in (short, long):
            nodes.register(connection, node)
            nodes.beat(connection, node.id, now - timedelta(seconds=3))
        assert [node.id for node in nodes.living(connection, now)] == [long.id]
