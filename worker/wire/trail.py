"""The trail of calls: a row before each is sent, the same row with its outcome after, one event."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from worker.model.errors import StoreError, StoreUnreachable
from worker.model.events import CallFinished
from worker.model.listening import Events
from worker.model.moments import new_id, utc_now
from worker.model.records import Call, Purpose
from worker.store import calls
from worker.store.writer import Ticket, Writer
from worker.wire.outgoing import About

_UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_OF_TOKENS = frozenset({Purpose.TOKEN, Purpose.REFRESH, Purpose.LOGIN})


class _Batch:
    """Rows that gather until the writer comes to them: many calls then cost it one operation.

    An operation may be run again, and then writes the same rows; a call's later row replaces its earlier one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sealed = False
        self._calls: dict[int, Call] = {}

    def take(self, call: Call) -> bool:
        """Takes a row in; False once the writer has come."""
        with self._lock:
            if not self._sealed:
                self._calls[call.id] = call
            return not self._sealed

    def write(self, connection: sa.Connection) -> None:
        """Stores the rows."""
        with self._lock:
            self._sealed = True
        calls.record(connection, list(self._calls.values()))


class Trail:
    """Opens and closes rows in `calls` and tells of each finished call."""

    def __init__(
        self,
        writer: Writer,
        events: Events,
        node_id: int | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._writer = writer
        self._events = events
        self._node_id = node_id
        self._now = now
        self._lock = threading.Lock()
        self._batch: tuple[_Batch, Ticket[None]] | None = None

    def open(self, about: About, method: str, url: str, bytes_out: int, patience_s: float) -> Call:
        """Returns the record of a call that may be sent now; `url` holds no secret.

        Where the call has an effect its row is committed when this returns. Raises StoreError where it could not be
        within `patience_s`: the call must then not be sent.
        """
        call = Call(
            id=new_id(),
            account=about.account,
            purpose=about.purpose,
            at=self._now(),
            method=method,
            url=url,
            node_id=self._node_id,
            run_id=about.run_id,
            attempt=about.attempt,
            job=about.job,
            tenant=about.tenant,
            act_for=about.act_for,
            bytes_out=bytes_out,
            retry_of=about.retry_of,
            generation_used=about.generation_used,
        )
        ticket = self._put(call)
        if about.durable or method in _UNSAFE or about.purpose in _OF_TOKENS:
            self._wait(ticket, call, patience_s)
        return call

    def close(self, call: Call) -> Ticket[None]:
        """Stores the call's outcome, tells of it, and returns the ticket of its row; `ms` must be set."""
        ticket = self._put(call)
        self._events.emit(
            CallFinished(
                account=call.account,
                method=call.method,
                url=call.url,
                call=call.id,
                purpose=call.purpose.value,
                status=call.status,
                ms=call.ms,
                bytes_in=call.bytes_in,
                bytes_out=call.bytes_out,
                tenant=call.tenant,
                act_for=call.act_for,
                job=call.job,
                run=call.run_id,
                attempt=call.attempt,
                retry_of=call.retry_of,
                generation=call.generation_used,
                error=call.error,
            )
        )
        return ticket

    def _put(self, call: Call) -> Ticket[None]:
        with self._lock:
            if self._batch is None or not self._batch[0].take(call):
                batch = _Batch()
                batch.take(call)
                self._batch = batch, self._writer.submit(batch.write, lingers=True)
            return self._batch[1]

    def _wait(self, ticket: Ticket[None], call: Call, patience_s: float) -> None:
        try:
            ticket.wait(max(patience_s, 0.0))
        except StoreError as error:
            self.close(replace(call, ms=0.0, error="not sent: its record could not be stored in time"))
            raise StoreUnreachable(
                f"{call.method} {call.url} (account {call.account}): not sent, because no call is made without its "
                f"record, and that could not be stored: {error}"
            ) from None
