"""The daemon's life: its parts start in order, it works until a signal asks it to leave, it drains and leaves."""

import os
import signal
import sys
import threading
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from jobs.contract import WorkerError
from worker.config.load import load
from worker.daemon import ledgered
from worker.daemon.drain import LEAVES_WITHIN_S, give_up, stop
from worker.daemon.dump import dump
from worker.daemon.reload import Reloader
from worker.daemon.signals import Heard, heard
from worker.daemon.status import Status
from worker.model.events import DaemonReady, WorkerFailed
from worker.model.listening import Events
from worker.model.moments import utc_now
from worker.store import jobs, nodes
from worker.watch.crashes import hooked, summary
from worker.watch.logs import Log, configure, log_event
from worker.watch.memory import bound_arenas, settle_heap
from worker.watch.systemd import ServiceManager
from worker.wiring.build import Worker, build
from worker.wiring.checks import verify
from worker.wiring.secrets import fetch

__all__ = ["leave", "run", "start", "stop"]

_STARTS_WITHIN_S = 600.0  # a new schema over a large history


def run(path: Path) -> None:
    """Runs the daemon until TERM or INT.

    Raises ConfigurationError, StoreError or KeyRingError where it cannot start; then nothing has begun.
    """
    manager = ServiceManager.of(os.environ)
    with heard() as signals:
        configuration = load(path)
        verify(configuration)
        secrets = fetch(configuration)
        log = configure(configuration.log.level, configuration.log.format, configuration.log.file)
        events = Events()
        events.listen(log_event)

        def fault(part: str, what: str) -> None:
            events.emit(WorkerFailed(part, what))

        try:
            with hooked(fault):
                manager.starting(_STARTS_WITHIN_S)
                if signals.name:  # asked to leave before it began
                    return
                _live(build(configuration, secrets, events), path, manager, signals, log)
        except Exception as error:
            if not isinstance(error, WorkerError):
                fault("daemon", summary(error))
            raise
        finally:
            log.close()


def _live(worker: Worker, path: Path, manager: ServiceManager, signals: Heard, log: Log) -> None:
    status = Status(worker)
    worker.clock.on_pass = lambda: manager.beat(lambda: str(status))
    try:
        start(worker)
    except BaseException:
        give_up(worker)
        raise
    manager.ready(str(status))
    reloader = Reloader(path, worker, manager, status)
    reloader.start(log.reopen, lambda now: log.speak(now.log.level, now.log.format))
    signals.on(signal.SIGHUP, worker.reloads.ask)
    signals.on(signal.SIGUSR1, lambda: dump(worker, log))
    signals.wait()
    manager.stopping(worker.live.current.configuration.worker.drain_timeout + LEAVES_WITHIN_S)
    reloader.stop(LEAVES_WITHIN_S)
    stop(worker, signals.name)


def leave() -> None:
    """Ends the process with 0, whatever hangs in one of its threads; returns where nothing does.

    The interpreter would wait at its end for a job's own threads, as those of an executor.
    """
    if threading.active_count() > 1:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(0)


def start(worker: Worker) -> None:
    """Takes over what earlier processes left, accounts for missed ticks, then lets the clock run."""
    bound_arenas()
    ground, current = worker.ground, worker.live.current
    if worker.eviction is not None:
        worker.eviction.start()
    ground.writer.call(lambda connection: nodes.register(connection, worker.node))
    worker.pulse.rescue(alone=ground.database.dialect == "sqlite")
    for parts in current.accounts.values():
        parts.credential.start()
    now = utc_now()
    _enter(worker, now)
    worker.inbox.once()  # who paused a job meanwhile does not want its missed ticks made up for
    worker.dispatch.catch_up(current.schedules, now)
    worker.clock.change(current.schedules, now)
    with ground.database.read() as connection:
        told = jobs.last_ticks(connection)
    worker.clock.recall(told, now)
    worker.pool.start()
    for service in worker.services:
        service.start()
    worker.clock.start()
    settle_heap()
    ground.events.emit(_ready(worker))


def _enter(worker: Worker, now: datetime) -> None:
    """Tells the ledger of all jobs."""
    known = worker.live.current.book.jobs.values()
    with worker.ground.database.read() as connection:
        seen = jobs.seen(connection)
    rows = ledgered.rows(known, now)
    texts = ledgered.texts((job for job in known if job.hash not in seen), now)
    worker.ground.writer.call(lambda connection: jobs.configure(connection, rows, texts))


def _ready(worker: Worker) -> DaemonReady:
    configuration = worker.live.current.configuration
    return DaemonReady(
        node=worker.node.id,
        jobs=len(configuration.jobs),
        accounts=len(configuration.accounts),
        database=worker.ground.database.location,
        next_tick=worker.clock.next_tick(),
    )
