"""A changed configuration, taken up whole or not at all, while everything goes on."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from jobs.contract import WorkerError
from worker.config.load import Configuration, load
from worker.daemon import ledgered
from worker.daemon.status import Status
from worker.model.errors import ConfigurationError, StoreError
from worker.model.events import ConfigurationRefused, ConfigurationReloaded
from worker.model.moments import elapsed_s, utc_now
from worker.model.records import Command
from worker.runs.ending import Ended
from worker.runs.removal import remove
from worker.store import commands, jobs, nodes
from worker.vault.redact import redact
from worker.watch.crashes import summary
from worker.watch.systemd import ServiceManager
from worker.wiring.build import Worker
from worker.wiring.change import ConfigChange, at_next_start, change
from worker.wiring.checks import verify
from worker.wiring.databases import admit
from worker.wiring.live import Configured, configured
from worker.wiring.secrets import fetch

_QUIET_S = 0.2  # without a further request before one is served: many in a row are one, and a file may still be written
_LONGEST_S = 2.0  # that a request waits for such quiet
_PATIENCE_S = 10.0  # with the database

_ALL_SAME = "the daemon goes on with the configuration it has"


class ReloadRefused(WorkerError):
    """A configuration was not taken up, for no fault of its own."""

    kind = "reload"


@dataclass
class Reloaded:
    """What came of one reading: a sentence for whoever asked, and for the ledger."""

    words: str
    taken: bool


class Reloader:
    """Reads the configuration again whenever somebody asks, in a thread of its own; `once` is one reading."""

    def __init__(self, path: Path, worker: Worker, manager: ServiceManager, status: Status) -> None:
        self._path, self._worker = path, worker
        self._manager, self._status = manager, status
        self._before: Callable[[], object] = lambda: None
        self._after: Callable[[Configuration], object] = lambda _: None
        self._lock = threading.Lock()  # held while a configuration is put in force
        self._leaving = False
        self._thread = threading.Thread(target=self._work, name="reload", daemon=True)

    def start(self, before: Callable[[], object], after: Callable[[Configuration], object]) -> None:
        """Starts the thread; `before` is called ahead of each reading, `after` with what is in force since."""
        self._before, self._after = before, after
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Refuses whatever asks from now on; one that is being put in force gets so long to be."""
        self._leaving = True
        if self._lock.acquire(timeout=timeout_s):
            self._lock.release()
        if self._worker.reloads.commands():  # so that who waits is told
            self._worker.reloads.ask()

    def once(self) -> Reloaded:
        """Reads the configuration and puts it in force, unless it is wrong or the daemon leaves; tells who asked."""
        asked = self._worker.reloads.commands()
        begun_s = elapsed_s()
        self._manager.reloading()
        try:
            outcome = self._take_up(self._prepared(), asked, begun_s)
        except WorkerError as error:
            outcome = self._refuse(error, asked)
        except Exception as error:  # noqa: BLE001  whatever a configuration brings about, the daemon goes on
            outcome = self._refuse(ReloadRefused(f"this is a fault of the worker: {summary(error)}"), asked)
        self._status.note = "" if outcome.taken else f"the configuration was refused: {outcome.words}"[:1000]
        self._manager.ready(str(self._status))
        self._worker.reloads.answered(asked)
        return outcome

    def _work(self) -> None:
        while self._worker.reloads.wait():
            self._settle()
            self._before()
            self.once()

    def _settle(self) -> None:
        until_s = time.monotonic() + _LONGEST_S
        while not self._leaving and time.monotonic() < until_s and self._worker.reloads.wait(_QUIET_S):
            pass

    def _prepared(self) -> Configured:
        """Returns what follows from the files as they are; nothing is changed by it."""
        self._stay()
        configuration = load(self._path, before=self._worker.live.current.configuration)
        verify(configuration)
        secrets = fetch(configuration)
        ground = self._worker.ground
        admit(ground.database, secrets.ring)
        return configured(configuration, secrets, ground, self._worker.live.current)

    def _stay(self) -> None:
        if self._leaving:
            raise ReloadRefused("the daemon is leaving; the next start reads the configuration anew")

    def _take_up(self, following: Configured, asked: Sequence[Command], begun_s: float) -> Reloaded:
        worker, now = self._worker, utc_now()
        found = change(worker.live.current, following)
        for name in found.accounts:
            following.accounts[name].credential.start()
        later = at_next_start(worker.begun, following.configuration)
        outcome = Reloaded(_taken(found, later), taken=True)
        with self._lock:
            self._stay()
            removed = self._record(following, found, _Noted(asked, outcome, worker.node.id))
            worker.live.replace(following)
            worker.clock.change(found.rescheduled, now)
        self._after(following.configuration)
        for ended in removed:
            worker.dispatch.pass_on(ended)
        counts = len(found.added), len(found.changed), len(found.removed)
        took_s = round(elapsed_s() - begun_s, 3)
        worker.ground.events.emit(ConfigurationReloaded(*counts, list(found.accounts), later, took_s))
        return outcome

    def _record(self, following: Configured, found: ConfigChange, noted: "_Noted") -> list[Ended]:
        """Tells the ledger, in one transaction that comes in time or never; returns what it ended."""
        now, late = utc_now(), threading.Event()
        configuration, book = following.configuration, following.book
        rows = ledgered.rows(book.jobs.values(), now)
        texts = ledgered.texts((book.jobs[name] for name in (*found.added, *found.changed)), now)

        def record(connection: sa.Connection) -> list[Ended]:
            if late.is_set():
                return []
            jobs.configure(connection, rows, texts, found.rescheduled.keys())
            nodes.configured(connection, noted.node_id, configuration.hash, now)
            noted.record(connection)
            return remove(connection, book, frozenset(found.removed), now)

        try:
            return self._worker.ground.writer.call(record, _PATIENCE_S)
        except BaseException:
            late.set()
            raise

    def _refuse(self, error: WorkerError, asked: Sequence[Command]) -> Reloaded:
        worker = self._worker
        why = redact(str(error))
        outcome = Reloaded(f"refused: {why}", taken=False)
        problems = [redact(str(one)) for one in error.problems] if isinstance(error, ConfigurationError) else [why]
        worker.ground.events.emit(ConfigurationRefused(problems, _ALL_SAME))
        noted = _Noted(asked, outcome, worker.node.id)

        def record(connection: sa.Connection) -> None:
            nodes.refused(connection, noted.node_id, why)
            noted.record(connection)

        with suppress(StoreError):  # the writer tells of that
            worker.ground.writer.call(record, _PATIENCE_S)
        return outcome


@dataclass(frozen=True)
class _Noted:
    """The commands that one reading answers, and the answer."""

    commands: Sequence[Command]
    outcome: Reloaded
    node_id: int

    def record(self, connection: sa.Connection) -> None:
        """Writes the answer to each."""
        for command in self.commands:
            if commands.take(connection, command.id, self.node_id, utc_now()):
                commands.answer(connection, command.id, self.outcome.words)


def _taken(found: ConfigChange, later: Sequence[str]) -> str:
    waits = f"; at the next start only: {', '.join(later)}" if later else ""
    return f"done: {found.words}{waits}"
