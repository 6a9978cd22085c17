"""A writer that is kept from committing."""

import threading

import sqlalchemy as sa

from worker.store.writer import Writer


class Held:
    """An operation that keeps the writer's transaction open until it is let go; the rest gathers."""

    def __init__(self, writer: Writer) -> None:
        self._entered = threading.Event()
        self._let_go = threading.Event()
        self.ticket = writer.submit(self._stay)
        assert self._entered.wait(30)

    def _stay(self, _connection: sa.Connection) -> None:
        self._entered.set()
        assert self._let_go.wait(30)

    def release(self) -> None:
        """Lets the transaction commit."""
        self._let_go.set()
