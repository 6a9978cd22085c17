"""The daemon: starts the parts in order, waits for a signal, drains, and stops them in the opposite order."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from jobs.contract import WorkerError
from worker.config.load import Configuration, load
from worker.model.errors import StoreError
from worker.model.events import DaemonReady, DaemonStopped, DaemonStopping, Events, WorkerFailed
from worker.model.moments import utc_now
from worker.runs.outcome import ShuttingDown
from worker.store import jobs, nodes
from worker.store.jobs import Definition, JobRow
from worker.vault.redact import redact
from worker.watch.crashes import hooked, summary
from worker.watch.logs import configure, log_event
from worker.watch.memory import bound_arenas, settle_heap
from worker.watch.systemd import ServiceManager
from worker.wiring.build import Worker, build
from worker.wiring.checks import verify
from worker.wiring.secrets import fetch

_LAST_WORDS_S = 2.0  # for attempts that heed the request to end once the drain time is over
_STARTS_WITHIN_S = 600.0  # a new schema over a large history
_LEAVES_WITHIN_S = 15.0  # after the drain
_PATIENCE_S = 2.0  # for each part that cannot end because the database is away


def run(path: Path) -> None:
    """Runs the daemon until TERM or INT.

    Raises ConfigurationError, StoreError or KeyRingError where it cannot start; then nothing has begun.
    """
    manager = ServiceManager.of(os.environ)
    configuration = load(path)
    verify(configuration)
    secrets = fetch(configuration)
    log = configure(configuration.log.level, configuration.log.format, configuration.log.file)
    events = Events()
    events.listen(log_event)

    def fault(part: str, what: str) -> None:
        events.emit(WorkerFailed(part, what))

    try:
        with hooked(fault), _signals() as asked:
            manager.starting(_STARTS_WITHIN_S)
            worker = build(configuration, secrets, events)
            worker.clock.on_pass = lambda: manager.beat(lambda: _status(worker))
            start(worker)
            manager.ready(_status(worker))
            asked.wait()
            manager.stopping(configuration.worker.drain_timeout + _LEAVES_WITHIN_S)
            stop(worker, asked.name)
    except Exception as error:
        if not isinstance(error, WorkerError):
            fault("daemon", summary(error))
        raise
    finally:
        log.close()


def _status(worker: Worker) -> str:
    """Returns how the daemon is, as `systemctl status` shows it."""
    ticks = [tick for name in worker.schedules if (tick := worker.clock.next_fire(name))]
    left_s = max((min(ticks) - utc_now()).total_seconds(), 0.0) if ticks else None
    upcoming = f"next in {left_s:.0f} s" if left_s is not None else "none is due by the clock"
    pool = worker.pool
    return f"{len(worker.configuration.jobs)} jobs, {pool.busy} running, {pool.waiting} waiting, {upcoming}"


class _Asked:
    """A request to leave, told by a pipe: a handler that takes a lock meets itself where the wait holds that lock."""

    def __init__(self, pipe: int) -> None:
        self.name = ""  # of the signal that made it
        self._pipe = pipe

    def on_signal(self, number: int, _frame: FrameType | None) -> None:
        """Notes the first signal; the second one ends the process at once, with 128 plus its number."""
        if self.name:
            os._exit(128 + number)
        self.name = signal.Signals(number).name

    def wait(self) -> None:
        """Returns once a signal has come; whichever thread it met, its number is in the pipe."""
        while not self.name:
            os.read(self._pipe, 1)


@contextmanager
def _signals() -> Iterator[_Asked]:
    """Yields what TERM and INT ask for; only for the main thread."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    asked = _Asked(reading)
    woken = signal.set_wakeup_fd(writing)
    before = {number: signal.signal(number, asked.on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(woken)
        os.close(reading)
        os.close(writing)


def start(worker: Worker) -> None:
    """Takes over what earlier processes left, accounts for missed ticks, then lets the clock run."""
    bound_arenas()
    ground = worker.ground
    ground.writer.call(lambda connection: nodes.register(connection, worker.node))
    worker.pulse.rescue(alone=ground.database.dialect == "sqlite")
    for parts in worker.accounts.values():
        parts.credential.start()
    now = utc_now()
    _configure_jobs(worker)
    worker.inbox.once()  # who paused a job meanwhile does not want its missed ticks made up for
    worker.dispatch.catch_up(worker.schedules, now)
    for name, schedule in worker.schedules.items():
        worker.clock.set(name, schedule, now)
    worker.pool.start()
    for service in worker.services:
        service.start()
    worker.clock.start()
    settle_heap()
    ground.events.emit(_ready(worker))


def _configure_jobs(worker: Worker) -> None:
    now, configured = utc_now(), worker.configuration.jobs.values()
    rows = [JobRow(job.name, job.hash, job.policy.enabled, now) for job in configured]
    texts = [Definition(job.hash, redact(job.text), now) for job in configured]
    worker.ground.writer.call(lambda connection: jobs.configure(connection, rows, texts))


def _ready(worker: Worker) -> DaemonReady:
    configuration: Configuration = worker.configuration
    ticks = [tick for name in worker.schedules if (tick := worker.clock.next_fire(name))]
    return DaemonReady(
        node=worker.node.id,
        jobs=len(configuration.jobs),
        accounts=len(configuration.accounts),
        database=worker.ground.database.location,
        next_tick=min(ticks, default=None),
    )


def stop(worker: Worker, why: str) -> None:
    """Takes no new work, waits `drain_timeout` for what runs, cuts off the rest, and leaves.

    What is cut off loses its right to write and is attempted again at the next start. A database that is away costs
    some seconds: what could not be written, the next start or another node makes good.
    """
    drain_s = worker.configuration.worker.drain_timeout
    events = worker.ground.events
    events.emit(DaemonStopping(why, worker.pool.busy, worker.pool.waiting, drain_s))
    worker.clock.stop(_PATIENCE_S)
    *services, pulse = worker.services
    for service in services:
        service.stop(_PATIENCE_S)
    drained = worker.pool.stop(drain_s) or _cut_off(worker)
    pulse.stop(_PATIENCE_S)
    _leave(worker)
    events.emit(DaemonStopped(drained))


def _cut_off(worker: Worker) -> bool:
    why = ShuttingDown("the daemon left before the run ended")
    worker.executor.interrupt(why)
    ended = worker.pool.stop(_LAST_WORDS_S)
    with suppress(StoreError):
        worker.executor.abandon_all(why, _PATIENCE_S)
    return ended


def _leave(worker: Worker) -> None:
    ground = worker.ground
    try:
        ground.writer.call(lambda connection: nodes.stop(connection, worker.node.id, utc_now()), _PATIENCE_S)
    except StoreError:
        ground.writer.stop(0.0)
    else:
        ground.writer.stop()
    for parts in worker.accounts.values():
        parts.close()
    worker.others.close()
    ground.database.close()
