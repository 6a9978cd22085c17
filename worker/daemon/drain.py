"""How the daemon leaves: no new work, time for what runs, then out, whatever still hangs."""

import time
from contextlib import suppress

from worker.model.errors import StoreError
from worker.model.events import DaemonStopped, DaemonStopping
from worker.model.moments import utc_now
from worker.runs.outcome import ShuttingDown
from worker.store import nodes
from worker.wiring.build import Worker

LEAVES_WITHIN_S = 15.0  # after the drain, at the very worst: a database that is away
_LAST_WORDS_S = 1.0  # for attempts that heed the request to end once the drain time is over
_PATIENCE_S = 2.0  # for each part that cannot end because the database is away


def stop(worker: Worker, why: str) -> None:
    """Takes no new work, waits `drain_timeout` for what runs, cuts off the rest, and leaves.

    What is cut off loses its right to write and is attempted again at the next start. A database that is away costs
    some seconds: what could not be written, the next start or another node makes good.
    """
    drain_s = worker.live.current.configuration.worker.drain_timeout
    ends_at = time.monotonic() + drain_s
    events = worker.ground.events
    events.emit(DaemonStopping(why, worker.pool.busy, worker.pool.waiting, drain_s))
    worker.clock.stop(_PATIENCE_S)
    *services, pulse = worker.services
    for service in services:
        service.end()
    drained = worker.pool.stop(max(ends_at - time.monotonic(), 0.0)) or _cut_off(worker)
    until = time.monotonic() + _PATIENCE_S / 2
    for service in (*services, pulse):
        service.stop(max(until - time.monotonic(), 0.0))
    _leave(worker)
    events.emit(DaemonStopped(drained))


def _cut_off(worker: Worker) -> bool:
    why = ShuttingDown("the daemon left before the run ended")
    worker.executor.interrupt(why)
    ended = worker.pool.stop(_LAST_WORDS_S)
    with suppress(StoreError):
        worker.executor.abandon_all(why, _PATIENCE_S)
    return ended


def give_up(worker: Worker) -> None:
    """Says that a node which could not start is gone, so that nobody takes it for alive until its lease ends."""
    with suppress(StoreError):
        _sign_off(worker)


def _sign_off(worker: Worker) -> None:
    worker.ground.writer.call(lambda connection: nodes.stop(connection, worker.node.id, utc_now()), _PATIENCE_S)


def _leave(worker: Worker) -> None:
    ground = worker.ground
    try:
        _sign_off(worker)
    except StoreError:
        ground.writer.stop(0.0)
    else:
        ground.writer.stop()
    if worker.eviction is not None:
        worker.eviction.stop(_PATIENCE_S)
    worker.live.close()
    ground.database.close()
