"""How many durable writes a second: the worker's group commit beside one commit for each through SQLAlchemy Core.

Ten threads, each waiting until its write is on disk before it makes the next; SQLite, WAL, synchronous=FULL for both;
three rounds in one run, contenders in turn. Run: python -m benchmarks.writer
"""

import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from worker.store.database import open_database
from worker.store.writer import Writer

THREADS = 10
ROUNDS = 3
SECONDS = 3.0

_table = sa.Table(
    "notes", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), sa.Column("text", sa.Text, nullable=False)
)
_row = {"text": "the text of a typical row of a ledger, about a hundred bytes, such as a run's start or its finish"}


def _insert(connection: sa.Connection) -> None:
    connection.execute(sa.insert(_table), _row)


def _rate(work: Callable[[], object]) -> float:
    """Returns how often a second ten threads together get `work` done."""
    counts: list[int] = []
    stop = threading.Event()

    def loop() -> None:
        count = 0
        while not stop.is_set():
            work()
            count += 1
        counts.append(count)

    threads = [threading.Thread(target=loop) for _ in range(THREADS)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    time.sleep(SECONDS)
    stop.set()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - begun)


def _grouped(folder: Path) -> float:
    database = open_database(f"sqlite:///{folder}/grouped.db")
    with database.write() as connection:
        _table.create(connection)
    writer = Writer(database, print)
    writer.start()
    rate = _rate(lambda: writer.call(_insert))
    writer.stop()
    database.close()
    return rate


def _naive(folder: Path) -> float:
    engine = sa.create_engine(f"sqlite:///{folder}/naive.db", pool_size=THREADS, connect_args={"timeout": 60})

    @sa.event.listens_for(engine, "connect")
    def settle(connection: sa.engine.interfaces.DBAPIConnection, _entry: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.close()

    _table.create(engine)

    def work() -> None:
        with engine.begin() as connection:
            _insert(connection)

    rate = _rate(work)
    engine.dispose()
    return rate


def main() -> None:
    """Prints the rate of each round, then the medians and their ratio."""
    rates: dict[str, list[float]] = {"naive": [], "grouped": []}
    for number in range(ROUNDS):
        for name, measure in (("naive", _naive), ("grouped", _grouped)):
            with tempfile.TemporaryDirectory() as folder:
                rates[name].append(measure(Path(folder)))
            print(f"round {number + 1}  {name:8} {rates[name][-1]:8.0f} writes/s")
    naive, grouped = statistics.median(rates["naive"]), statistics.median(rates["grouped"])
    print(f"median   naive {naive:.0f}/s, group commit {grouped:.0f}/s, ratio {grouped / naive:.1f}")


if __name__ == "__main__":
    main()
