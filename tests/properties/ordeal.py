"""A year of jobs in twenty zones, with everything that can happen to a worker, drawn from a seed."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Never, TypeVar
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from tests import oracle
from tests.runs.bench import definition
from tests.stepback import StepBack
from worker.config.configuration import JobDefinition
from worker.model.errors import StoreUnreachable
from worker.runs.lifetime import Circumstances
from worker.runs.simulation import Simulation
from worker.store.database import Database
from worker.store.scratch import Inline
from worker.store.writer import Ticket

T = TypeVar("T")

ZONES = (
    "Europe/Berlin",
    "Europe/London",
    "Europe/Dublin",  # its winter is the exception
    "Europe/Istanbul",
    "Africa/Casablanca",  # changes around Ramadan
    "Africa/Cairo",  # at midnight
    "Asia/Beirut",  # at midnight
    "Asia/Gaza",
    "Asia/Tehran",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Tokyo",
    "Australia/Lord_Howe",  # by half an hour
    "Australia/Sydney",
    "Pacific/Chatham",  # at 02:45
    "Pacific/Apia",
    "America/New_York",
    "America/Havana",  # at midnight
    "America/Santiago",
    "America/Sao_Paulo",
)
OFTEN: dict[str, Any] = {"schedule": "*/30 1-3 * * *"}  # every zone has it: a step back brings some ticks again
FORMS: tuple[dict[str, Any], ...] = (  # every other one in a year, the others in the next
    {"schedule": {"at": "02:30"}},
    {"schedule": {"at": "02:30"}, "dst": "skip"},
    {"schedule": {"at": ["00:30", "02:30"]}, "dst": "both"},
    {"schedule": "30 2 * * *", "catch_up": "none"},
    {"schedule": {"at": "02:30", "days": ["mon-sat"]}, "overlap": "skip"},
    {"schedule": {"at": "02:30", "days": ["sat"]}, "dst": "both", "overlap": "queue"},
    {"schedule": {"monthly": [1, 31, "last"], "at": "02:30"}, "overlap": "queue", "catch_up": "all"},
    {"schedule": "30 0 13 * fri"},
)
_OF_SCHEDULE = ("schedule", "dst")
_PAUSE_S = (10_000.0, 30_000.0)  # between two disasters, at the least and at the most
_ASLEEP_H = (48.0, 120.0)  # at once, at the least and at the most
_OFF = 0.95  # of all sleeps
_CALM = timedelta(hours=4)  # before the end; the machine never sleeps into it
_SKEW_S = 240.0  # by which a clock may go back and forget nothing, even over a restart
_CHANCE = 0.004  # of one transaction to meet trouble


def jobs_of_the_world(
    turn: int,
) -> tuple[dict[str, JobDefinition], dict[str, Callable[[oracle.Span], list[datetime]]]]:
    """Returns the jobs, and for each what tells when it was due in a span; two turns have every form in every zone."""
    jobs: dict[str, JobDefinition] = {}
    due: dict[str, Callable[[oracle.Span], list[datetime]]] = {}
    for place, zone in enumerate(ZONES):
        for number, form in enumerate([OFTEN, *FORMS[(place + turn) % 2 :: 2]]):
            name = f"{zone.lower().replace('/', '-')}-{number}"
            jobs[name] = definition(name, **form, timezone=zone)
            own = {key: form[key] for key in _OF_SCHEDULE if key in form}
            due[name] = partial(_due, own, zone)
    return jobs, due


def _due(form: dict[str, Any], zone: str, span: oracle.Span) -> list[datetime]:
    return oracle.due(form["schedule"], zone, span, dst=form.get("dst", "once"))


class Troubled(Inline):
    """A writer whose transactions now and then fail, or are committed and not acknowledged."""

    def __init__(self, database: Database, chance: random.Random) -> None:
        super().__init__(database)
        self._chance = chance
        self.troubles = 0

    def submit(self, operation: Callable[[sa.Connection], T], *, lingers: bool = False) -> Ticket[T]:
        """Performs an operation as the real writer does: again where its fate is unknown; the clock may hear of it."""
        if self._chance.random() >= _CHANCE:
            return super().submit(operation, lingers=lingers)
        self.troubles += 1
        if self._chance.random() < 1 / 2:
            super().submit(operation)  # committed, and nobody knows
        else:
            self._undone(operation)
        if isinstance(operation, partial) and self._chance.random() < 1 / 2:  # of Dispatch.fire: kept, offered again
            return super().submit(_unreachable)
        return super().submit(operation, lingers=lingers)

    def _undone(self, operation: Callable[[sa.Connection], T]) -> None:
        def fail(connection: sa.Connection) -> None:
            operation(connection)
            _unreachable(connection)

        super().submit(fail)


def _unreachable(_connection: sa.Connection) -> Never:
    raise StoreUnreachable("the ordeal wants it so")


@dataclass
class Ordeal:
    """One simulated span with its disasters."""

    since: datetime
    until: datetime
    chance: random.Random
    deaths: int = 0
    jumps: int = 0
    steps: list[StepBack] = field(default_factory=list)  # of the wall clock, back

    def __post_init__(self) -> None:
        """Notes what the wall clock shows first."""
        self._shown = self.since  # at the latest so far

    def simulate(self, jobs: dict[str, JobDefinition], database: Database) -> Troubled:
        """Lives through it, and returns who wrote it down."""
        writer = Troubled(database, self.chance)
        seed = self.chance.getrandbits(32)
        made_up = Circumstances(lambda _: 5.0, 64, failing=0.01, uneven=0.0, seed=seed, forgets=False)
        simulation = Simulation(jobs, ZoneInfo("UTC"), writer, made_up, self.since)
        self._sleep(simulation)
        self._suffer(simulation)
        simulation.run(self.until)
        return writer

    def _sleep(self, simulation: Simulation) -> None:
        """Lets the machine sleep again and again, mostly switched off: what was due then is missed."""

        def sleep() -> None:
            if simulation.now() < self.until - _CALM:
                if self.chance.random() < _OFF:
                    simulation.die()
                asleep = timedelta(hours=self.chance.uniform(*_ASLEEP_H))
                simulation.shift += min(asleep, self.until - _CALM - simulation.now())
                simulation.start()
                self._sleep(simulation)

        simulation.after(self.chance.uniform(600, 3 * 3600), sleep)

    def _suffer(self, simulation: Simulation) -> None:
        """Draws one disaster after the other; each is over before the next one."""

        def suffer() -> None:
            if simulation.now() < self.until - _CALM:
                self.chance.choice((self._crash, self._go_down, self._leap, self._set_back, self._set_far_back))(
                    simulation
                )
                self._suffer(simulation)

        simulation.after(self.chance.uniform(*_PAUSE_S), suffer)

    def _crash(self, simulation: Simulation) -> None:
        self._die(simulation, self.chance.uniform(0.0, 90.0))

    def _go_down(self, simulation: Simulation) -> None:
        self._die(simulation, min(self.chance.expovariate(1 / 10_000), _PAUSE_S[0] / 2))

    def _leap(self, simulation: Simulation) -> None:
        self._jump(simulation, self.chance.uniform(1, 3600))

    def _set_back(self, simulation: Simulation) -> None:
        """Sets the clock back by little, and in half of all cases the process dies then."""
        self._jump(simulation, -self.chance.uniform(1, _SKEW_S))
        if self.chance.random() < 1 / 2:
            self._crash(simulation)

    def _set_far_back(self, simulation: Simulation) -> None:
        """Sets the clock back by hours; the process does not die before it shows again what it has shown."""
        self._jump(simulation, -self.chance.uniform(1, _PAUSE_S[0] / 2))

    def _die(self, simulation: Simulation, seconds: float) -> None:
        self.deaths += 1
        simulation.die()
        simulation.after(seconds, simulation.start)

    def _jump(self, simulation: Simulation, seconds: float) -> None:
        self.jumps += 1
        self._shown = max(self._shown, simulation.now())
        simulation.shift += timedelta(seconds=seconds)
        if seconds < 0:
            self.steps.append(StepBack(self._shown, simulation.now()))
