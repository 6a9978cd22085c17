"""APScheduler 3 with its SQLAlchemy store: every due job is taken out of its table and committed by itself.

It keeps no history. All jobs are added, paused, before the time begins, which is that of dispatching and
running them. With the variant `burst` they fall due in one instant, with a clock that runs.
"""

import threading
from datetime import UTC, datetime, timedelta

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler

from benchmarks.runs.nothing import BEGAN, nothing
from benchmarks.runs.spec import Spec, Told, Watch, perform, spread

_LEAD_S = 0.006  # for each job that is added before the instant of a burst


def work(spec: Spec) -> Told:
    """Adds the jobs, lets the scheduler go, and waits until each has run."""
    url = spec.database.replace("postgresql://", "postgresql+psycopg://")
    scheduler = BackgroundScheduler(
        jobstores={"default": SQLAlchemyJobStore(url)},
        executors={"default": ThreadPoolExecutor(spec.threads)},
        job_defaults={"misfire_grace_time": None},
        timezone=UTC,
    )
    scheduler.start(paused=True)
    burst = spec.variant == "burst"
    at = datetime.now(UTC) + timedelta(seconds=_LEAD_S * spec.runs if burst else 0.0)
    for number in range(spec.runs):
        scheduler.add_job(nothing, "date", run_date=at, args=(None,), id=f"job-{number:05}")
    if burst and datetime.now(UTC) > at:
        raise RuntimeError("to add the jobs took longer than there was time: raise _LEAD_S")
    watch = Watch()
    scheduler.resume()
    idle = threading.Event()
    while len(BEGAN) < spec.runs:
        idle.wait(0.002)
    told = watch.told(len(BEGAN))
    scheduler.shutdown(wait=False)
    late = spread([began - at.timestamp() for began in BEGAN]) if burst else ()
    return Told(told.work_s, told.cpu_s, told.runs, (), late)


if __name__ == "__main__":
    perform(work)
