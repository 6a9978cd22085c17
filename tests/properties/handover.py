"""Rows of a table on their way to an API: what changed since, delivered by attempts that fail and die."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from hypothesis import strategies as st

from jobs.contract import Answer, FailedAnswer, Json, RejectLimit, Unanswered
from jobs.sync import Sync, SyncOptions
from jobs.testing import Request
from tests.jobs import crm
from tests.jobs.crm import Crm
from tests.properties.farend import SPREAD, Counter, Habits, Shop
from tests.properties.plans import DEATH, Death, several
from tests.properties.reaper import Died, Reaper
from tests.properties.world import FarApi
from worker.calls.session import AccountApi
from worker.model.errors import AttemptLost, StoreUnreachable
from worker.model.listening import Events
from worker.model.records import AttemptState, Run, RunState, Trigger
from worker.runs.context import Leash, Resources, RunContext
from worker.store import attempts, runs
from worker.store.database import Database

FILL = {
    "source": {
        "account": "far",
        "path": "/items",
        "records": "items",
        "paging": {"kind": "keyset", "field": "id", "param": "after"},
    },
    "destination": {"table": "t", "key": "id", "mode": "mirror", "guard": {"max_delete": "100%"}},
    "prefetch": 0,
}
WAYS: Mapping[str, dict[str, Json]] = {
    "lookup": {
        "path": "/orders",
        "id": "data.id",
        "in_doubt": "lookup",
        "lookup": crm.LOOKUP,
        "update": crm.UPDATE,
        "delete": {"path": "/orders/{remote_id}"},
    },
    "put": {"path": "/orders/{key}", "method": "PUT", "delete": {"path": "/orders/{key}"}},
    "hold": {"path": "/orders", "id": "data.id", "update": crm.UPDATE},
}
_FAULTS = st.sampled_from(["fine", "fine", "fine", "fine", "lost", "unsent", "killed", "500", "503", "html"])
_CHANGE = st.tuples(st.sampled_from(["insert", "insert", "update", "update", "delete"]), st.integers(0, SPREAD))
_EXPECTED = (FailedAnswer, Unanswered, StoreUnreachable, AttemptLost, crm.Unsent)


@dataclass(frozen=True)
class Round:
    """What changes at the source before one attempt to deliver, and what goes wrong in it."""

    changes: tuple[tuple[str, int], ...]
    faults: tuple[str, ...]
    death: Death | None


@dataclass(frozen=True)
class Handing:
    """One case."""

    way: str
    size: int
    parallel: int
    rounds: tuple[Round, ...]

    def options(self) -> SyncOptions:
        """Returns the options of the job that delivers."""
        given = {
            "source": {"table": "t", "changed_only": True, "size": self.size},
            "map": {"key": "id", "name": "rev"},
            "destination": {"account": "crm", "key": "key", "parallel": self.parallel} | WAYS[self.way],
            "prefetch": 0,
        }
        return SyncOptions.model_validate(given)


def handings() -> st.SearchStrategy[Handing]:
    """Generates cases."""
    one = st.builds(Round, several(_CHANGE, 6), several(_FAULTS, 8), st.one_of(st.none(), DEATH))
    return st.builds(
        Handing, st.sampled_from(sorted(WAYS)), st.integers(1, 4), st.sampled_from([1, 1, 3]), several(one, 5)
    )


@dataclass
class Handover:
    """One case under way."""

    own: Database
    reaper: Reaper
    handing: Handing
    shop: Shop = field(default_factory=Shop)
    far_end: Crm = field(default_factory=Crm)
    number: int = 0

    def live(self) -> None:
        """Plays the rounds, and two more without any trouble."""
        self.shop.fill(3)
        self._fill()
        for one in (*self.handing.rounds, Round((), (), None), Round((), (), None)):
            for what, which in one.changes:
                getattr(self.shop, what)(which)
            self._fill()
            self.far_end.faults = iter(one.faults)
            error = self._attempt("hand", self.handing.options(), one.death)
            assert error is None or isinstance(error, (*_EXPECTED, Died)) or "html" in one.faults, error
            self.assert_nothing_is_there_twice()
        assert error is None

    def _fill(self) -> None:
        error = self._attempt("fill", SyncOptions.model_validate(FILL))
        assert error is None, error

    def assert_nothing_is_there_twice(self) -> None:
        """No row is made a second time, whatever nobody knows."""
        assert {key: names for key, names in self.far_end.names().items() if len(names) > 1} == {}

    def _attempt(self, job: str, options: SyncOptions, death: Death | None = None) -> BaseException | None:
        """Makes the only attempt of a run; returns what ended it."""
        self.number += 1
        self.shop.tick(0)
        run = Run(self.number, job, f"manual:{self.number}", Trigger.MANUAL, RunState.QUEUED, self.shop.now, "hash")
        with self.own.write() as connection:
            runs.claim(connection, [run])
            attempts.begin(connection, run.id, 1, 1, self.shop.now)
        accounts = {"far": FarApi(Counter(self.shop, Habits("keyset"))), "crm": FarApi(self._deliver)}
        resources = Resources(self.own, {}, cast("dict[str, AccountApi]", accounts), lambda: self.shop.now, Events())
        context = RunContext(replace(run, attempt=1), resources, RejectLimit(share=1.0), Leash(600.0))
        error: BaseException | None = None
        self.reaper.plan(death)
        try:
            Sync(options).run(context)
        except (Exception, Died) as raised:  # noqa: BLE001  whatever ends it is looked at
            error = raised
        error = Died() if self.reaper.is_dead else error
        self.reaper.plan(None)
        with self.own.write() as connection:
            state = AttemptState.FAILED if error else AttemptState.SUCCEEDED
            attempts.end(connection, run.id, 1, state, self.shop.now)
        return error

    def _deliver(self, request: Request) -> Answer:
        self.reaper.check()
        try:
            found = self.far_end(request)
        except crm.Died:
            self.reaper.kill()
            raise
        if isinstance(found, Exception):
            raise found
        return found

    def wanted(self) -> dict[str, list[Any]]:
        """Returns what the far end has to show."""
        return {key: [rev] for key, rev in self.shop.states().items()}
