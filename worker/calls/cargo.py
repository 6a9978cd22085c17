"""The rows of an attempt's calls, stored in a transaction of its own, which saves the writer one."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import sqlalchemy as sa

from worker.calls.session import PATIENCE_S, BoundApi
from worker.store.writer import Ticket


@contextmanager
def carried(connection: sa.Connection, apis: Sequence[BoundApi], upto: int | None = None) -> Iterator[None]:
    """Stores the rows of answers so far in a write transaction of the worker's own database.

    To be entered before the transaction takes locks of the ledger's, and left once it is committed or rolled back:
    then the writer stores them. A row that somebody else is at is waited for, unless `upto`, the id of a call, leaves
    it out. Raises StoreError where a row was lost, or is not durable after PATIENCE_S.
    """
    taken = _taken(apis, upto, waits=connection.dialect.name != "sqlite")
    try:
        for ticket in taken:
            ticket.run(connection)
        yield
    except BaseException:
        _put_back(taken)
        raise
    for ticket in taken:
        ticket.settle(None)
    for api in apis:
        api.let_go(taken)


def _taken(apis: Sequence[BoundApi], upto: int | None, *, waits: bool) -> dict[Ticket[None], bool]:
    """Returns the tickets to be run, and which of them the writer does without.

    On SQLite the writer waits for the caller's transaction, so that what it is at is run too, which makes it no
    difference. Elsewhere it is waited for, and nothing is kept from others meanwhile: they may be waiting for that.
    """
    while True:
        held = dict.fromkeys(ticket for api in apis for ticket in api.held())  # accounts share tickets
        for ticket in held:
            if ticket.done:
                ticket.wait()  # raises where the row was lost
        taken = {ticket: ticket.withdraw() for ticket in held if not ticket.done}
        if not waits:
            return taken
        needed = {ticket for api in apis for ticket in api.held(upto)}
        busy = [ticket for ticket, withdrawn in taken.items() if not withdrawn and ticket in needed]
        if not busy:
            return {ticket: True for ticket, withdrawn in taken.items() if withdrawn}
        _put_back(taken)
        for ticket in busy:
            ticket.wait(PATIENCE_S)


def _put_back(taken: dict[Ticket[None], bool]) -> None:
    for ticket, withdrawn in taken.items():
        if withdrawn:
            ticket.put_back()
