"""What a contender is told, and what it tells: one JSON object in, one out; standard library only."""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Spec:
    """One contender's task; `url` holds the latency, `database` is a URL as SQLAlchemy takes it."""

    url: str
    database: str
    rows: int
    pages: int
    prefetch: int
    folder: str  # of this contender's own, kept between first load and re-run
    variant: str = ""
    changes: int = 0  # changed pages to move, one at a time, once everything else is there

    @property
    def size(self) -> int:
        """Records per page."""
        return self.rows // self.pages

    @property
    def sqlite(self) -> str:
        """The SQLite file, or nothing for PostgreSQL."""
        return self.database.removeprefix("sqlite:///") if self.database.startswith("sqlite") else ""

    def to_json(self) -> str:
        """Returns the task as it is handed over."""
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class Told:
    """What a contender measured, in seconds: wall time and CPU of its work, wall time of each changed page."""

    work_s: float
    cpu_s: float
    changes_s: tuple[float, ...] = ()
    peak_mb: float = 0.0  # resident memory at its most, where the contender knows better than its parent


def command_line(module: str, asked: argparse.Namespace) -> str:
    """Returns the command as it was typed, without this machine's paths."""
    typed = " ".join(f'"{word}"' if " " in word else word for word in sys.argv[1:])
    places = {asked.peer_python: "PEERS/bin/python", str(asked.markdown): "docs/performance.md"}
    for place, shown in places.items():
        typed = typed.replace(place, shown) if place else typed
    return f"python -m {module} {typed}"


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

    def told(self) -> Told:
        """Returns what has gone by."""
        return Told(time.perf_counter() - self._wall, time.process_time() - self._cpu)


def peak_mb() -> float:
    """Returns the most resident memory this process ever had, in MB of a million bytes; Linux."""
    with open("/proc/self/status") as lines:  # noqa: PTH123  one read, no path
        kb = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    return kb * 1024 / 1e6
