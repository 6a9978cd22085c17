"""How late do due ticks arrive? 10,000 jobs due at one instant, our clock beside APScheduler's stock parts.

Both run in this process, one after the other, three rounds; lateness is the wall clock's time at arrival less the
instant that was due. "arrival" is the moment on_due is handed the tick, or a stock pool thread calls the job.

    python benchmarks/clock.py [JOBS]
"""

import logging
import statistics
import sys
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from worker.engine.clock import Clock
from worker.engine.schedule import occurrences
from worker.model.records import Tick
from worker.model.schedules import Every

JOBS = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
ROUNDS = 3
PERIOD_S = 60
PATIENCE_S = 120.0


class Arrivals:
    """Keeps how late each tick came, in milliseconds."""

    def __init__(self, due: datetime) -> None:
        self._due_s = due.timestamp()
        self._late_ms: list[float] = []
        self._complete = threading.Event()

    def add(self, count: int) -> None:
        """Notes that so many arrived now."""
        self._late_ms.extend([(time.time() - self._due_s) * 1000] * count)
        if len(self._late_ms) >= JOBS:
            self._complete.set()

    def figures(self) -> tuple[float, float]:
        """Waits for all and returns median and 99th percentile."""
        if not self._complete.wait(PATIENCE_S):
            raise SystemExit(f"only {len(self._late_ms)} of {JOBS} arrived")
        ranked = sorted(self._late_ms)
        return ranked[len(ranked) // 2], ranked[len(ranked) * 99 // 100]


def ours(due: datetime) -> tuple[float, float]:
    """Our clock, told through on_due."""
    arrivals = Arrivals(due)

    def on_due(ticks: Sequence[Tick]) -> None:
        arrivals.add(sum(tick.at == due for tick in ticks))

    def refuse(*what: object) -> None:
        raise SystemExit(f"unexpected: {what}")

    clock = Clock(on_due, refuse, refuse)
    offset = due.timestamp() % PERIOD_S
    for number in range(JOBS):
        found = occurrences(Every(every=float(PERIOD_S), offset=offset), ZoneInfo("UTC"), f"job-{number}")
        if found is not None:
            clock.set(f"job-{number}", found, due - timedelta(seconds=1))
    clock.start()
    figures = arrivals.figures()
    clock.stop()
    return figures


def stock(due: datetime) -> tuple[float, float]:
    """APScheduler's memory store and its pool of ten threads, nothing dropped."""
    arrivals = Arrivals(due)
    scheduler = BackgroundScheduler(
        jobstores={"default": MemoryJobStore()},
        job_defaults={"misfire_grace_time": None, "coalesce": False, "max_instances": 3},
        timezone=UTC,
    )
    scheduler.start(paused=True)
    for number in range(JOBS):
        trigger = IntervalTrigger(seconds=PERIOD_S, start_date=due, timezone=UTC)
        scheduler.add_job(arrivals.add, trigger, args=(1,), id=f"job-{number}", next_run_time=due)
    scheduler.resume()
    figures = arrivals.figures()
    scheduler.shutdown()
    return figures


def main() -> None:
    """Prints p50 and p99 of each, the median of the rounds, and the ratio."""
    logging.disable(logging.INFO)
    setup_s = 2.0 + JOBS / 4000
    found: dict[str, list[tuple[float, float]]] = {"stock APScheduler": [], "our clock": []}
    for _ in range(ROUNDS):
        for name, contender in (("stock APScheduler", stock), ("our clock", ours)):
            due = datetime.fromtimestamp(int(time.time() + setup_s), UTC)
            found[name].append(contender(due))
    medians = {name: [statistics.median(column) for column in zip(*rows, strict=True)] for name, rows in found.items()}
    print(f"{JOBS} jobs due at one instant, lateness in ms, median of {ROUNDS} rounds")
    for name, (p50, p99) in medians.items():
        print(f"{name:18} p50 {p50:8.1f}   p99 {p99:8.1f}")
    (stock50, stock99), (our50, our99) = medians["stock APScheduler"], medians["our clock"]
    print(f"{'ratio':18} p50 {our50 / stock50:8.2f}   p99 {our99 / stock99:8.2f}")


if __name__ == "__main__":
    main()
