"""What dead nodes were writing is rolled back on PostgreSQL: who takes their runs over needs what they have locked."""

from dataclasses import dataclass

from worker.model.events import TransactionsEnded
from worker.model.listening import Events
from worker.store import nodes
from worker.store.database import Database


@dataclass(frozen=True)
class Eviction:
    """Ends transactions of nodes whose hearts stopped; `once` is one pass.

    It goes by a thread and a connection of its own: the writer, and the heart that hands its beats to it, may be
    waiting for just such a lock.
    """

    node_id: int  # of this process
    database: Database
    events: Events

    def once(self) -> None:
        """Makes one pass; raises StoreError where the database cannot be reached."""
        with self.database.read() as connection:
            dead = set(nodes.dead(connection, self.database.lease_now(connection))) - {self.node_id}
            ended = self.database.end_transactions(connection, dead)
        if ended:
            self.events.emit(TransactionsEnded(ended))
