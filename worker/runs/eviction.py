"""What dead nodes were writing is rolled back on PostgreSQL: who takes their runs over needs what they have locked."""

from collections.abc import Callable

from worker.engine.periodic import Periodic
from worker.model.events import TransactionsEnded
from worker.model.listening import Events
from worker.model.records import Node
from worker.runs.pulse import BEATS
from worker.store import nodes
from worker.store.database import Database


class Eviction:
    """Ends transactions of nodes whose hearts stopped; `once` is one pass.

    It goes by a thread and a connection of its own: the writer, the heart that hands its beats to it, and jobs that
    have taken all other connections may each be waiting for just such a lock.
    """

    def __init__(
        self, me: Node, database: Database, events: Events, on_error: Callable[[str, Exception], None]
    ) -> None:
        self._me, self._events = me, events
        self._database = database.aside()
        self._thread = Periodic("eviction", me.lease_s / BEATS, self.once, on_error)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Ends the thread, and waits up to `timeout_s` for that."""
        self._thread.stop(timeout_s)
        self._database.close()

    def once(self) -> None:
        """Makes one pass; raises StoreError where the database cannot be reached."""
        with self._database.read() as connection:
            dead = set(nodes.dead(connection, self._database.lease_now(connection))) - {self._me.id}
            ended = self._database.end_transactions(connection, dead)
        if ended:
            self._events.emit(TransactionsEnded(ended))
