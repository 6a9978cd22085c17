"""What a contender is told, and what it tells: one JSON object in, one out; standard library only."""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Spec:
    """One contender's task; `database` is a URL as SQLAlchemy takes it."""

    database: str
    folder: str  # of this contender's own
    runs: int
    threads: int
    variant: str = ""

    @property
    def sqlite(self) -> str:
        """The SQLite file, or nothing for PostgreSQL."""
        return self.database.removeprefix("sqlite:///") if self.database.startswith("sqlite") else ""

    def to_json(self) -> str:
        """Returns the task as it is handed over."""
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class Told:
    """What a contender measured: seconds of wall time and of CPU, runs that are on record, lateness in seconds."""

    work_s: float
    cpu_s: float
    runs: int
    claimed_s: tuple[float, ...] = ()  # after the tick: p50, p99, most
    started_s: tuple[float, ...] = ()  # the same, until the job's own code ran


def perform(work: Callable[[Spec], Told]) -> None:
    """Does the work that the command line describes and prints what came of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("spec")
    spec = Spec(**json.loads(parser.parse_args().spec))
    print(json.dumps(asdict(work(spec))), flush=True)


class Watch:
    """Measures wall time and this process's CPU from when it is made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def told(self, runs: int) -> Told:
        """Returns what has gone by."""
        return Told(time.perf_counter() - self._wall, time.process_time() - self._cpu, runs)


def spread(values: list[float]) -> tuple[float, float, float]:
    """Returns p50, p99 and the most."""
    ordered = sorted(values)
    return ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100], ordered[-1]
