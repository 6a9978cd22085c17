"""The worker as a daemon runs it: each run claimed, its start durable before its code runs, its end before it is told.

Ticks are handed to the worker's dispatch as its clock hands them, a thousand jobs in turn with a thousand others, so
that some always wait. The time ends with the last `run.finished`. What the ledger holds then is looked up.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from benchmarks.runs.nothing import BEGAN
from benchmarks.runs.spec import Spec, Told, Watch, perform, spread
from worker.config.load import load
from worker.daemon import life as daemon
from worker.engine.schedule import occurrences
from worker.model.events import RunFinished
from worker.model.listening import Event, Events
from worker.model.moments import utc_now
from worker.model.options import JobOptions
from worker.model.records import Run, Tick
from worker.runs.dispatch import Dispatch
from worker.vault.keyring import create
from worker.watch.logs import configure, log_event
from worker.wiring.build import Worker, build
from worker.wiring.secrets import fetch

JOBS = 1000
_LEAD_S = 20.0  # for the clock to be armed before the instant of a burst
_CONFIG = """\
[worker]
concurrency = {threads}

[database]
url = "{database}"

[vault]
keys = {{ file = "worker.keys" }}

[log]
format = "json"
file = "worker.log"
"""
_JOB = """
[jobs.job-{number:05}]
type = "python"
call = "benchmarks.runs.nothing:nothing"
schedule = {schedule}
"""


class Ends:
    """Counts the runs that are told as ended, and lets one thread wait for a number of them."""

    def __init__(self) -> None:
        self.count = 0
        self._wanted = 0
        self._reached = threading.Event()
        self._lock = threading.Lock()

    def listen(self, event: Event) -> None:
        """Counts a run that ended well."""
        if isinstance(event, RunFinished) and event.state == "succeeded":
            with self._lock:
                self.count += 1
                if self.count == self._wanted:
                    self._reached.set()

    def wait_for(self, wanted: int) -> None:
        """Waits until so many have ended; raises RuntimeError where they do not."""
        with self._lock:
            self._wanted = wanted
            if self.count >= wanted:
                return
            self._reached.clear()
        if not self._reached.wait(300.0):
            raise RuntimeError(f"{self.count} of {wanted} runs have ended")


def configured(spec: Spec, jobs: int, schedule: str) -> Path:
    """Writes a configuration of do-nothing jobs and its key ring; returns its path."""
    folder = Path(spec.folder)
    create(folder / "worker.keys")
    text = _CONFIG.format(threads=spec.threads, database=spec.database)
    config = folder / "config.toml"
    config.write_text(text + "".join(_JOB.format(number=number, schedule=schedule) for number in range(jobs)))
    return config


@contextmanager
def started(config: Path, events: Events) -> Iterator[Worker]:
    """Starts the daemon's parts in its own order and stops them."""
    configuration = load(config)
    log = configure(configuration.log.level, configuration.log.format, configuration.log.file)
    events.listen(log_event)
    worker = build(configuration, fetch(configuration), events)
    daemon.start(worker)
    try:
        yield worker
    finally:
        daemon.stop(worker, "the benchmark ends")
        log.close()


def held(worker: Worker) -> int:
    """Returns how many runs are on record whole: claimed, started, ended, with their attempt and without a lock."""
    with worker.ground.database.read() as connection:
        return connection.scalar(sa.text(_WHOLE)) or 0


_WHOLE = """
    SELECT count(*) FROM runs JOIN attempts ON attempts.run_id = runs.id AND attempts.number = runs.attempt
    WHERE runs.state = 'succeeded' AND attempts.state = 'succeeded' AND runs.created_at <= attempts.started_at
    AND attempts.started_at <= attempts.ended_at AND attempts.ended_at = runs.finished_at
    AND NOT EXISTS (SELECT 1 FROM locks WHERE locks.run_id = runs.id)
"""


def burst(spec: Spec) -> Told:
    """Lets all jobs fall due at once by the daemon's clock; tells how late each was claimed durably, and begun."""
    events, ends, claimed = Events(), Ends(), list[float]()
    events.listen(ends.listen)
    claims = Dispatch.claims

    def note(dispatch: Dispatch, ticks: Sequence[Tick]) -> Iterator[list[Run]]:
        for part in claims(dispatch, ticks):
            claimed.extend([time.time()] * len(part))
            yield part

    with started(configured(spec, spec.runs, '"manual"'), events) as worker:
        Dispatch.claims = note  # type: ignore[method-assign]  # each part as soon as it is on disk
        now = utc_now()
        due = (now + timedelta(seconds=_LEAD_S)).replace(microsecond=0)
        instant = JobOptions.model_validate({"type": "python", "schedule": {"once": due}}).schedule
        for name in worker.begun.jobs:
            once = occurrences(instant, ZoneInfo("UTC"), name)
            if once is not None:
                worker.clock.set(name, once, now)
        if utc_now() > due:
            raise RuntimeError("to arm the clock took longer than there was time: raise _LEAD_S")
        watch = Watch()
        ends.wait_for(spec.runs)
        told = watch.told(held(worker))
    late = (spread([at - due.timestamp() for at in claimed]), spread([at - due.timestamp() for at in BEGAN]))
    return Told(told.work_s, told.cpu_s, told.runs, *late)


def work(spec: Spec) -> Told:
    """Runs each job as often as it takes."""
    if spec.variant == "burst":
        return burst(spec)
    events, ends = Events(), Ends()
    events.listen(ends.listen)
    with started(configured(spec, 2 * JOBS, '"manual"'), events) as worker:
        names = sorted(worker.begun.jobs)
        crews = (names[:JOBS], names[JOBS:])
        first = utc_now().replace(microsecond=0) - timedelta(days=1)
        worker.dispatch.fire([Tick(name, first) for name in crews[0]])  # warms up what a daemon does once
        ends.wait_for(JOBS)
        watch = Watch()
        for turn in range(1, spec.runs // JOBS + 1):
            worker.dispatch.fire([Tick(name, first + timedelta(seconds=turn)) for name in crews[turn % 2]])
            ends.wait_for(JOBS * turn)  # those of the turn before
        ends.wait_for(JOBS + spec.runs)
        return watch.told(held(worker) - JOBS)


if __name__ == "__main__":
    perform(work)
