"""The records that every contender moves: 15 fields, about 400 bytes of JSON each.

Only the standard library: the peers' environments import this too.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

TABLE = "devices"
CLIENT_ID = "benchmark"
CLIENT_SECRET = "a-secret-of-the-benchmark"  # noqa: S105  it guards records that anybody can compute
_LATER = 100_000_000  # seconds after the first record's time, where the changed page's times begin
_START = datetime(2026, 1, 1, tzinfo=UTC) - timedelta(days=2000)  # two million seconds on, it is still the past
_STAMPS = ("created_at", "updated_at")
_POSTGRES = {int: "bigint", float: "double precision", bool: "boolean", str: "text"}


def record(number: int) -> dict[str, Any]:
    """Returns one record; `number` starts at 0."""
    stamp = stamped(number)
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


def changed(number: int, revision: int) -> dict[str, Any]:
    """Returns a record as it is after so many changes; each change is later than the one before."""
    return record(number) | {"status": f"changed {revision:06d}", "updated_at": stamped(_LATER + revision)}


def revised(page: bytes, revision: int) -> bytes:
    """Returns an encoded page of records of the revision 0 as it is at another one."""
    page = page.replace(b"changed 000000", b"changed %06d" % revision)
    return page.replace(stamped(_LATER).encode(), stamped(_LATER + revision).encode())


def stamped(seconds: int) -> str:
    """Returns a time in ISO 8601, so many seconds after the first record's."""
    return (_START + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


NAMES = tuple(record(0))
KINDS = {  # of the record whose fields are all set, as PostgreSQL calls them
    name: "timestamp with time zone" if name in _STAMPS else _POSTGRES[type(value)] for name, value in record(1).items()
}


def truth(rows: int) -> tuple[int, int, float]:
    """Returns what a complete table shows: rows, distinct ids, and the sum of `cost`; exact, for costs are quarters."""
    return rows, rows, sum(number % 10_000 + 0.25 for number in range(rows))
