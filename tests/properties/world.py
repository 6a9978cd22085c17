"""A worker's ledger and a destination, both real, and a job that is attempted until it is left alone."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from threading import Lock
from typing import Any, cast

import sqlalchemy as sa

from jobs.contract import Answer, FailedAnswer, Json, RejectLimit, Unanswered
from jobs.sync import Sync
from jobs.testing import BASE_URL, Request
from tests.properties.farend import Counter, Shop
from tests.properties.plans import Death, Plan
from tests.properties.reaper import Died, Reaper
from worker.calls.session import AccountApi, RunRef
from worker.model.listening import Events
from worker.model.records import AttemptState, Run, RunState, Trigger
from worker.runs.context import Leash, Resources, RunContext
from worker.store import attempts, runs
from worker.store.database import Database
from worker.store.writer import Ticket

TABLES = ("t", "t__new", "t__seen", "_sync_tables", "_sync_cursors")
LEDGER = ("attempts", "runs", "cursors", "rejects", "deliveries")
JOB = "job"
Row = dict[str, Any]
_NUMBERS = count()


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

    def settle(self, upto: int | None = None) -> None:
        """There is no trail."""

    def held(self, _upto: int | None = None) -> list[Ticket[None]]:
        """There is no trail."""
        return []

    def let_go(self, tickets: Iterable[Ticket[None]]) -> None:
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
    fenced: bool = True
    was_calm: bool = False  # nothing changed since the run began, which read everything that it had to

    def __post_init__(self) -> None:
        self.shop = Shop(self.plan.style, self.plan.late)
        self.shop.fill(self.plan.rows)
        self.upsets = list(self.plan.upsets)
        self._serve = Counter(self.shop, self.plan.habits)
        self._options = self.plan.options()
        self._number = 0
        self._lock = Lock()
        self._left: list[Row] | None = None  # what a new attempt left, which the old one must not touch
        self._claimed = -1  # changes at the far end when the run began

    @property
    def _partial(self) -> bool:
        """Tells whether a run may leave rows that are gone to a later one."""
        return self.plan.mode == "mirror" and bool(self.plan.cursor)

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
        self._left = None
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
        self.fenced &= self._is_untouched()
        self._end(context, state)
        return state

    def _is_untouched(self) -> bool:
        return self._left is None or self._left == self.stored()

    def stored(self) -> list[Row]:
        """Returns the rows of the destination."""
        with self.home.read() as connection:
            if not sa.inspect(connection).has_table("t"):
                return []
            # Each time another text: PostgreSQL would answer one that it knows with the columns it knew then.
            query = sa.text(f"SELECT * FROM t -- {next(_NUMBERS)}")
            rows = connection.execute(query).mappings()
            return sorted((dict(row) for row in rows), key=lambda row: (row["id"], row["_run_id"], row["rev"]))

    def _begin(self) -> RunContext:
        if self.run is None:
            self._number, self.attempt, self._claimed = self._number + 1, 0, self.shop.number
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
        succeeded = is_mine and state is AttemptState.SUCCEEDED
        self.was_calm = succeeded and self._claimed == self.shop.number and not self._partial
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
            self._left = self.stored()
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
