"""A worker's ledger and a destination, both real, and a job that is attempted until it is left alone."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any, cast

import psycopg
import sqlalchemy as sa

from jobs.contract import Answer, FailedAnswer, Json, RejectLimit, Unanswered
from jobs.sync import Sync
from jobs.testing import BASE_URL, Request
from tests.properties.farend import Counter, Shop
from tests.properties.plans import Death, Plan
from worker.calls.session import AccountApi, RunRef
from worker.model.events import Events
from worker.model.records import AttemptState, Run, RunState, Trigger
from worker.runs.context import Leash, Resources, RunContext
from worker.store import attempts, runs
from worker.store.database import Database

TABLES = ("t", "t__new", "t__seen", "_sync_tables", "_sync_cursors")
LEDGER = ("attempts", "runs", "cursors", "rejects", "deliveries")
JOB = "job"


class Died(BaseException):
    """The process was killed here."""


class Reaper:
    """Ends the process, or fails its databases, at a chosen moment; a dead process reaches no database any more."""

    def __init__(self, *databases: Database) -> None:
        self._death: Death | None = None
        self._left = 0
        self.is_dead = False
        for database in dict.fromkeys(databases):
            self._watch(database)

    def _watch(self, database: Database) -> None:
        dialect = database.engine.dialect
        commit = dialect.do_commit

        def watched(connection: Any) -> None:  # noqa: ANN401  the driver's own
            self._meet("commit")
            outcome = self._outcome()
            if outcome == "not":
                connection.rollback()
            else:
                commit(connection)
            if outcome:
                raise _lost(connection)
            self._meet("committed")

        dialect.do_commit = watched  # type: ignore[method-assign, assignment]
        sa.event.listen(database.engine, "before_cursor_execute", lambda *_: self._meet("statement"))

    def plan(self, death: Death | None) -> None:
        """Says when it comes next; nobody is dead now."""
        self._death, self._left, self.is_dead = death, death.after if death else 0, False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Lets another attempt live meanwhile; what is planned waits for the one it is meant for."""
        before = self._death, self._left
        yield
        (self._death, self._left), self.is_dead = before, False

    def kill(self) -> None:
        """Kills the process now."""
        self.is_dead = True
        raise Died

    def check(self) -> None:
        """Raises Died in a process that is dead."""
        if self.is_dead:
            raise Died

    def _meet(self, moment: str) -> None:
        self.check()
        if self._due(moment):
            self.kill()

    def _outcome(self) -> str:
        """Returns how a commit fails that fails now, and nothing for one that does not."""
        for outcome in ("not", "unknown"):
            if self._due(outcome):
                return outcome
        return ""

    def _due(self, moment: str) -> bool:
        if self._death is None or self._death.kind != moment:
            return False
        self._left -= 1
        if self._left >= 0:
            return False
        self._death = None
        return True


def _lost(connection: Any) -> Exception:  # noqa: ANN401  the driver's own
    driver = connection.driver_connection
    if isinstance(driver, psycopg.Connection):
        driver.close()
        return psycopg.OperationalError("the connection was lost")
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR
    return error


@dataclass
class FarApi:
    """What an attempt is handed in place of an account's API."""

    ask: Callable[[Request], Answer]
    base_url: str = BASE_URL

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: Json = None,
        headers: Mapping[str, str] | None = None,
        act_for: Mapping[str, str] | None = None,
        reads: bool = False,
    ) -> Answer:
        """Returns the far end's answer."""
        request = Request("far", method, path, dict(params or {}), json, dict(headers or {}), reads=reads)
        return replace(self.ask(request), url=request.url, method=method)

    def settle(self) -> None:
        """There is no trail."""

    def bind(self, _run: RunRef) -> "FarApi":
        """Serves any run."""
        return self


@dataclass
class World:
    """One case under way; `now` stands still but for what the plan says."""

    own: Database
    other: Database
    reaper: Reaper
    plan: Plan
    shop: Shop = field(init=False)
    wait: int = 0  # requests until the next upset
    upsets: list[tuple[int, str, int]] = field(init=False)
    run: Run | None = None
    attempt: int = 0
    ended: list[tuple[RunContext, AttemptState]] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.shop = Shop(self.plan.style, self.plan.late)
        self.shop.fill(self.plan.rows)
        self.upsets = list(self.plan.upsets)
        self._serve = Counter(self.shop, self.plan.habits)
        self._options = self.plan.options()
        self._number = 0
        self._lock = Lock()

    @property
    def home(self) -> Database:
        """Where the rows go."""
        return self.other if self.plan.away else self.own

    def live(self, check: Callable[["World"], None]) -> None:
        """Makes attempts until nothing is left that could go wrong; `check` looks at what each one left."""
        deaths = list(self.plan.deaths)
        while deaths or self.upsets:
            self.make_attempt(deaths.pop(0) if deaths else None)
            check(self)
            if not deaths:
                self._hurry()

    def _hurry(self) -> None:
        """Lets time pass and one thing happen between two attempts, so that a case comes to its end."""
        self.shop.tick(0)
        if self.upsets:
            _, what, which = self.upsets.pop(0)
            if hasattr(self.shop, what):
                getattr(self.shop, what)(which)

    def make_attempt(self, death: Death | None = None) -> AttemptState:
        """Makes one attempt: the next one of the run under way, or the first one of a new run."""
        context = self._begin()
        self.reaper.plan(death)
        state = AttemptState.SUCCEEDED
        try:
            Sync(self._options).run(context)
        except Died:
            state = AttemptState.LOST
        except Exception as error:  # noqa: BLE001  whatever it is, `judging` says whether it may be
            state = AttemptState.FAILED
            self.errors.append(error)
        if self.reaper.is_dead:  # where it was killed in a thread of its own, another error may come first
            state = AttemptState.LOST
        self.reaper.plan(None)
        self._end(context, state)
        return state

    def _begin(self) -> RunContext:
        if self.run is None:
            self._number, self.attempt = self._number + 1, 0
            cause = f"manual:{self._number}"
            self.run = Run(self._number, JOB, cause, Trigger.MANUAL, RunState.QUEUED, self.shop.now, "hash")
            with self.own.write() as connection:
                runs.claim(connection, [self.run])
        self.attempt += 1
        with self.own.write() as connection:
            attempts.begin(connection, self.run.id, self.attempt, 1, self.shop.now)
        account = cast("AccountApi", FarApi(self._answer))
        resources = Resources(self.own, {"other": self.other}, {"far": account}, lambda: self.shop.now, Events())
        run = replace(self.run, attempt=self.attempt)
        return RunContext(run, resources, RejectLimit(share=0.0), Leash(600.0))

    def _end(self, context: RunContext, state: AttemptState) -> None:
        with self.own.write() as connection:
            is_mine = attempts.end(connection, context.run_id, context.attempt, state, self.shop.now)
        if not is_mine:  # tables may have vanished under it: whatever it said, nobody listens
            self.errors.clear()
        self.ended.append((context, state if is_mine else AttemptState.LOST))
        if self.run and (state is AttemptState.SUCCEEDED or self.attempt >= self.plan.tries):
            self.run = None

    def _answer(self, request: Request) -> Answer:
        """Lets things happen that are due, and answers; several threads ask at once."""
        self.reaper.check()
        with self._lock:
            ending = self._happen()
        if ending == "taken over":
            self._take_over()
        with self._lock:
            found = self._serve(request)
        return _ENDINGS[ending](found) if ending in _ENDINGS else found

    def _happen(self) -> str:
        """Lets things happen until one of them ends the request; returns that one."""
        self.wait += 1
        while self.upsets and self.wait > self.upsets[0][0]:
            _, what, which = self.upsets.pop(0)
            self.wait = 1
            if what == "dies":
                self.reaper.kill()
            if not hasattr(self.shop, what):
                self.wait = 0
                return what
            getattr(self.shop, what)(which)
        return ""

    def _take_over(self) -> None:
        """Lets another attempt of the run take the right to write, and come to its end first."""
        if self.run is None:  # this attempt had lost it before
            return
        wait, upsets, self.upsets = self.wait, self.upsets, []
        with self.own.write() as connection:
            attempts.end(connection, self.run.id, self.attempt, AttemptState.LOST, self.shop.now)
        with self.reaper.held():
            self.make_attempt()
        self.wait, self.upsets = wait, upsets


def _failed(found: Answer) -> Answer:
    error = FailedAnswer(f"{found.url} answered 500")
    error.status = 500
    raise error


def _unanswered(found: Answer) -> Answer:
    raise Unanswered(f"{found.url} did not answer")


def _cut(found: Answer) -> Answer:
    return replace(found, body=found.body[: len(found.body) // 2])


_ENDINGS: Mapping[str, Callable[[Answer], Answer]] = {"500": _failed, "lost": _unanswered, "cut": _cut}


@contextmanager
def emptied(*databases: Database) -> Iterator[None]:
    """Leaves databases without what a case before stored."""
    for database in dict.fromkeys(databases):
        with database.write() as connection:
            there = set(sa.inspect(connection).get_table_names())
            for table in there.intersection(TABLES):
                connection.exec_driver_sql(f"DROP TABLE {table}")
            for table in there.intersection(LEDGER):
                connection.exec_driver_sql(f"DELETE FROM {table}")
    yield
