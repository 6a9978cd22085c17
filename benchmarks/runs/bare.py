"""The limit: two bare rows a run through one thread that commits what waits; no claim, no locks, no log, no checks.

Each of the threads inserts a run, waits until that is durable, does nothing, and hands its end in.
"""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from queue import Empty, SimpleQueue
from typing import Any

from benchmarks.runs.spec import Spec, Told, Watch, perform

Item = tuple[int, Any]  # a run, and the lock it waits at for its start; None with its end
_TABLE = "CREATE TABLE runs (id bigint PRIMARY KEY, state text NOT NULL)"


def _sqlite(spec: Spec) -> tuple[Callable[[list[int], list[int]], None], Callable[[], int]]:
    connection = sqlite3.connect(spec.sqlite, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(_TABLE)

    def store(starts: list[int], ends: list[int]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO runs VALUES (?, 'running')", [(run,) for run in starts])
        connection.executemany("UPDATE runs SET state = 'succeeded' WHERE id = ?", [(run,) for run in ends])
        connection.execute("COMMIT")

    def held() -> int:
        with closing(connection.execute("SELECT count(*) FROM runs WHERE state = 'succeeded'")) as found:
            return int(found.fetchone()[0])

    return store, held


def _postgresql(spec: Spec) -> tuple[Callable[[list[int], list[int]], None], Callable[[], int]]:
    import psycopg  # noqa: PLC0415  only where it is needed

    connection: psycopg.Connection[Any] = psycopg.connect(spec.database)
    connection.execute(_TABLE)
    connection.commit()

    def store(starts: list[int], ends: list[int]) -> None:
        connection.execute("INSERT INTO runs SELECT unnest(%s::bigint[]), 'running'", (starts,))
        connection.execute("UPDATE runs SET state = 'succeeded' WHERE id = ANY(%s::bigint[])", (ends,))
        connection.commit()

    def held() -> int:
        found = connection.execute("SELECT count(*) FROM runs WHERE state = 'succeeded'").fetchone()
        return int(found[0]) if found else 0

    return store, held


def _write(queue: SimpleQueue[Item | None], store: Callable[[list[int], list[int]], None]) -> None:
    going = True
    while going:
        batch = [queue.get()]
        while True:
            try:
                batch.append(queue.get_nowait())
            except Empty:
                break
        going = None not in batch
        items = [item for item in batch if item is not None]
        store([run for run, gate in items if gate], [run for run, gate in items if not gate])
        for _, gate in items:
            if gate:
                gate.release()


def work(spec: Spec) -> Told:
    """Runs them all and waits until the last end is durable."""
    store, held = _sqlite(spec) if spec.sqlite else _postgresql(spec)
    queue: SimpleQueue[Item | None] = SimpleQueue()

    def run(first: int) -> None:
        gate = threading.Lock()
        gate.acquire()
        for number in range(first, spec.runs, spec.threads):
            queue.put((number, gate))
            gate.acquire()
            queue.put((number, None))

    writer = threading.Thread(target=_write, args=(queue, store))
    threads = [threading.Thread(target=run, args=(first,)) for first in range(spec.threads)]
    watch = Watch()
    for thread in (writer, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    queue.put(None)
    writer.join()
    told = watch.told(0)
    return Told(told.work_s, told.cpu_s, held())


if __name__ == "__main__":
    perform(work)
