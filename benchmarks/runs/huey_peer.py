"""Huey on SQLite with fsync: enqueued one by one, run by its own consumer, each result a row."""

import threading

from huey import SqliteHuey
from huey.consumer import Consumer

from benchmarks.runs.spec import Spec, Told, Watch, perform

_WORKERS = 4  # more of them only wait for SQLite's lock


def work(spec: Spec) -> Told:
    """Enqueues and runs; the time ends with the last result on record."""
    huey = SqliteHuey("bench", filename=spec.sqlite, fsync=True, store_none=True)

    @huey.task()
    def nothing() -> None:
        """Does nothing."""

    consumer = Consumer(huey, workers=_WORKERS, periodic=False, initial_delay=0.001, max_delay=0.01)
    watch = Watch()
    for _ in range(spec.runs):
        nothing()
    consumer.start()
    idle = threading.Event()
    while huey.storage.result_store_size() < spec.runs:
        idle.wait(0.02)
    told = watch.told(huey.storage.result_store_size())
    consumer.stop(graceful=False)
    return told


if __name__ == "__main__":
    perform(work)
