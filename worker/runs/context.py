"""What a job is handed: accounts, cursors, and units of work that are fenced when they commit."""

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, fields, replace
from datetime import datetime

import orjson
import sqlalchemy as sa

from jobs.contract import Api, Counts, Cursor, Delivery, GiveUp, Interrupted, Json, Kept, RejectLimit, Window
from worker.calls.cargo import carried
from worker.calls.session import AccountApi, BoundApi, RunRef
from worker.model.errors import AttemptLost, TimedOut
from worker.model.listening import Events
from worker.model.moments import elapsed_s
from worker.model.records import Reject, Run
from worker.runs import elsewhere
from worker.runs.joblog import JobLog
from worker.runs.unit import RunUnit
from worker.store import attempts, cursors, deliveries, rejects, runrows
from worker.store.database import Database
from worker.vault.redact import redact

_LONGEST_RECORD = 100_000  # characters kept of a rejected record
_KEPT_AT_ONCE = 500  # rejects


@dataclass(frozen=True)
class Resources:
    """What runs work with: the databases and the accounts of this node."""

    own: Database
    others: Mapping[str, Database]
    accounts: Mapping[str, AccountApi]
    now: Callable[[], datetime]
    events: Events

    def database(self, name: str | None) -> Database:
        """Returns a configured database, by default the worker's own."""
        return self.own if name is None else self.others[name]


class Leash:
    """Says when an attempt must end: at its timeout, or when somebody interrupts it."""

    def __init__(self, timeout_s: float) -> None:
        self._ends_at = elapsed_s() + timeout_s
        self._timeout_s = timeout_s
        self._why: Interrupted | None = None
        self._asked_at = float("inf")
        self._lock = threading.Lock()

    def remaining_s(self) -> float:
        """Returns the seconds left before the timeout; not above zero once it passed."""
        return self._ends_at - elapsed_s()

    def interrupt(self, why: Interrupted) -> None:
        """Makes the next check raise `why`; the first interruption stands."""
        with self._lock:
            if self._why is None:
                self._why, self._asked_at = why, elapsed_s()

    def why(self) -> Interrupted | None:
        """Returns why the attempt must end; None while it may go on."""
        if self._why is None and self.remaining_s() <= 0:
            return TimedOut(f"the run passed its timeout of {self._timeout_s:g} s; raise the job's `timeout`")
        return self._why

    def overdue_s(self) -> float:
        """Returns for how many seconds the attempt has had to end; below zero while it may go on."""
        return elapsed_s() - min(self._ends_at, self._asked_at)

    def check(self) -> None:
        """Raises Interrupted once the attempt must end."""
        if (why := self.why()) is not None:
            raise why


class RunContext:
    """One attempt's context; implements jobs.contract.Context."""

    dry = False

    def __init__(self, run: Run, resources: Resources, max_rejects: RejectLimit, leash: Leash) -> None:
        self.job, self.run_id, self.attempt = run.job, run.id, run.attempt
        until = run.window_until or run.created_at
        self.window = Window(run.window_since, until, given=run.trigger in runrows.HELD)
        self.params: Mapping[str, Json] = run.params
        self.max_rejects = max_rejects
        self.counts = Counts()
        self._resources = resources
        self._leash = leash
        self._apis: dict[str, BoundApi] = {}
        self._versions: dict[str, int] = {}  # of each cursor as this attempt last saw it
        self._with_cursors = set[str | None]()  # databases elsewhere that keep some
        self._expected: int | None = None

    @property
    def log(self) -> JobLog:
        """Where the job says something."""
        return JobLog(self._resources.events, self.job, self.run_id, self.attempt)

    def api(self, account: str) -> Api:
        """Returns access to a configured account."""
        if account not in self._apis:
            run = RunRef(self.job, self.run_id, self.attempt, self._leash.check, self._leash.remaining_s)
            self._apis.setdefault(account, self._resources.accounts[account].bind(run))  # several threads may ask
        return self._apis[account]

    def cursor(self, name: str = "", database: str | None = None) -> Cursor:
        """Returns the cursor as last committed, and mends the ledger where rows elsewhere have got further.

        Raises GiveUp in a run that is held to a window.
        """
        if self.window.given:
            raise self._held()
        with self._resources.own.read() as connection:
            found = cursors.get(connection, self.job, name)
        if self._is_elsewhere(database):
            self._with_cursors.add(database)
            there = elsewhere.standing(self._resources.database(database), self.job, name)
            if there.version > found.version:
                found = there
                with self._resources.own.write() as connection:
                    cursors.mend(connection, self.job, name, there, self.run_id, self._resources.now())
        self._versions[name] = found.version
        return found

    def kept(self) -> Iterator[Kept]:
        """Yields the rejects of this job that are kept, in the order of their hashes."""
        after = ""
        while True:
            with self._resources.own.read() as connection:
                found = rejects.of_job(connection, self.job, after, _KEPT_AT_ONCE)
            yield from map(_kept, found)
            if len(found) < _KEPT_AT_ONCE:
                return
            after = found[-1].record_hash

    def rejected(self) -> set[str]:
        """Returns the keys of this job's kept rejects."""
        with self._resources.own.read() as connection:
            return rejects.keys(connection, self.job)

    def deliveries(self, keys: Sequence[str]) -> dict[str, Delivery]:
        """Returns what is remembered of these keys' rows."""
        with self._resources.own.read() as connection:
            return deliveries.of_keys(connection, self.job, keys)

    def read(self, database: str | None = None) -> AbstractContextManager[sa.Connection]:
        """Opens a transaction that reads."""
        return self._resources.database(database).read()

    def expect(self, total: int) -> None:
        """Says how many records the run will read."""
        self._expected = total

    def check(self) -> None:
        """Raises Interrupted once the run must end."""
        self._leash.check()

    @contextmanager
    def unit(self, database: str | None = None, upto_call: int | None = None) -> Iterator[RunUnit]:
        """Opens one transaction; where it is not on the worker's own database, the ledger's is wrapped around its end.

        The right to write is asked for in the ledger's transaction, which holds it until rows elsewhere are
        committed. Rejects are kept before such rows, counts and the ledger's cursors with their commit.
        What a call brought is never found without the call's row: the rows of calls are stored with the unit; where
        that commits elsewhere they are waited for first, as far as the unit rests on them. Raises AttemptLost where
        this attempt lost its right to write.
        """
        away = self._is_elsewhere(database)
        if away:
            for api in self._bound():
                api.settle(upto_call)
        with (
            ExitStack() as cargo,
            ExitStack() as ledger,
            self._resources.database(database if away else None).write() as connection,
        ):
            if database in self._with_cursors:
                elsewhere.prepare(connection)
            unit = RunUnit(connection)
            yield unit
            if unit.moves and self.window.given:
                raise self._held()
            if not away:
                cargo.enter_context(carried(connection, self._bound(), upto_call))
            versions = self._store_away(unit, database, ledger) if away else self._store(unit, connection)
        self._versions |= versions
        self._add(unit.delta)

    def _bound(self) -> list[BoundApi]:
        return list(self._apis.values())  # a source may ask for another account meanwhile

    def _is_elsewhere(self, database: str | None) -> bool:
        return database is not None and elsewhere.is_elsewhere(self._resources.database(database), self._resources.own)

    def _store_away(self, unit: RunUnit, database: str | None, ledger: ExitStack) -> dict[str, int]:
        """Stores what belongs to rows elsewhere; the ledger's transaction ends when theirs has."""
        for name in unit.moves.keys() - self._versions.keys():
            self.cursor(name, database)
        if unit.rejects:
            with self._resources.own.write() as connection:
                self._keep_rejects(unit, connection)
        moved = {name: Cursor(value, self._versions[name] + 1) for name, value in unit.moves.items()}
        elsewhere.place(unit.connection, self.job, moved, self.run_id)
        # Last: who holds the ledger must not wait for a lock elsewhere, no database would see that circle.
        return self._store(unit, ledger.enter_context(self._resources.own.write()))

    def _store(self, unit: RunUnit, connection: sa.Connection) -> dict[str, int]:
        unit.delta.expected = self._expected
        if not attempts.add(connection, self.run_id, self.attempt, unit.delta):
            raise self._lost()
        now = self._resources.now()
        rejects.remove(connection, self.job, unit.forgotten)
        self._keep(unit, connection, now)
        deliveries.put(connection, self.job, unit.deliveries, self.run_id, now)
        return {name: self._advance(connection, name, value, now) for name, value in unit.moves.items()}

    def _keep_rejects(self, unit: RunUnit, connection: sa.Connection) -> None:
        if not attempts.may_write(connection, self.run_id, self.attempt):
            raise self._lost()
        self._keep(unit, connection, self._resources.now())

    def _keep(self, unit: RunUnit, connection: sa.Connection, now: datetime) -> None:
        rejects.settle(connection, self.job, unit.settled)
        latest = {key or id(record): self._reject(record, reason, key, now) for record, reason, key in unit.rejects}
        rejects.keep(connection, list(latest.values()))

    def _held(self) -> GiveUp:
        return GiveUp(
            f"this run of {self.job} covers a window that was given, and reads and moves no cursor, which its job asks "
            "for; a job of one's own reads context.window instead, where that is `given`."
        )

    def _lost(self) -> AttemptLost:
        return AttemptLost(f"attempt {self.attempt} of run {self.run_id} lost its right to write")

    def _advance(self, connection: sa.Connection, name: str, value: Json, now: datetime) -> int:
        if name not in self._versions:
            self._versions[name] = cursors.get(connection, self.job, name).version
        return cursors.advance(connection, self.job, name, value, self._versions[name], self.run_id, now)

    def _reject(self, record: Json, reason: str, key: str | None, now: datetime) -> Reject:
        written = _written(record)
        text = redact(written)
        whole = text == written and len(text) <= _LONGEST_RECORD and _reads_back(text, record)
        digest = hashlib.sha256(text.encode()).hexdigest()
        return Reject(self.job, digest, self.run_id, redact(reason), text[:_LONGEST_RECORD], whole, key, now, now)

    def _add(self, delta: Counts) -> None:
        names = [item.name for item in fields(Counts) if item.name != "expected"]
        sums = {name: getattr(self.counts, name) + getattr(delta, name) for name in names}
        self.counts = replace(self.counts, **sums, expected=self._expected)


def _kept(row: Reject) -> Kept:
    return Kept(row.record_hash, row.reason, orjson.loads(row.record) if row.whole else None)


def _reads_back(text: str, record: Json) -> bool:
    """Tells whether a record's text gives the record: NaN gives null, and what Python wrote nothing at all."""
    try:
        return bool(orjson.loads(text) == record)
    except orjson.JSONDecodeError:
        return False


def _written(record: Json) -> str:
    """Returns a record as JSON, or as Python writes it where a job rejects what JSON cannot hold."""
    try:
        return orjson.dumps(record, default=str, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS).decode()
    except orjson.JSONEncodeError:
        with suppress(RecursionError):
            return repr(record)
        return "a record that is nested too deep to be written down"
