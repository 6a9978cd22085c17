"""Keys that databases see otherwise than texts: one record in two spellings, keys that no row can have."""

import random
import string
from decimal import Decimal
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from jobs.contract import Counts, Json, Record
from jobs.flow import Batch, Page
from jobs.kinds import Kind
from jobs.numerals import decimal, shortest
from jobs.testing import MemoryContext
from tests.jobs.filling import store
from worker.store.database import Database

UPPER, LOWER = "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
OTHER = LOWER.replace("a", "b")
LONG = "".join(random.Random(1).choices(string.printable.strip(), k=9000))
MODES = ["upsert", "mirror", "replace"]


def _stored(context: MemoryContext) -> list[tuple[str, Json]]:
    with context.unit() as unit:
        return [(str(row.id), row.v) for row in unit.connection.execute(sa.text("SELECT id, v FROM t ORDER BY id"))]


def _live(context: MemoryContext) -> list[str]:
    return sorted(row["id"] for row in context.rows("t") if row["_deleted_at"] is None)


@pytest.mark.parametrize("mode", MODES)
def test_of_two_spellings_of_a_key_the_later_state_stands(postgres_database: Database, mode: str) -> None:
    """PostgreSQL tells uuids apart by their bytes; a page that has both goes in all the same."""
    rows: list[dict[str, Any]] = [{"id": UPPER, "v": 1}, {"id": LOWER, "v": 2}, {"id": OTHER, "v": 3}]
    with MemoryContext(write=postgres_database.write) as context:
        with context.unit() as unit:
            unit.connection.exec_driver_sql("CREATE TABLE t (id uuid PRIMARY KEY, v int)")
        for _ in range(2):
            assert store(context, rows, mode=mode).unchanged >= 1
            assert _stored(context) == [(LOWER, 2), (OTHER, 3)]


@pytest.mark.parametrize("mode", MODES)
def test_a_decimal_is_one_key_however_it_is_written(context: MemoryContext, mode: str) -> None:
    """1 and 1.0 are one record on each database, in one page and over several."""
    rows: list[dict[str, Any]] = [{"id": 1, "v": "a"}, {"id": 1.0, "v": "b"}, {"id": "3.50", "v": "c"}]
    counts = store(context, rows, [{"id": "3.5", "v": "d"}], kinds={"id": Kind.DECIMAL}, mode=mode)
    assert counts == Counts(written=3, unchanged=1)
    assert _stored(context) == [("1", "b"), ("3.5", "d")]


def test_a_number_that_lost_digits_is_no_key(context: MemoryContext) -> None:
    """JSON's whole numbers beyond 64 bits are read as floats: two of them would be one record."""
    told = b'[{"id": 99999999999999999999991}, {"id": 99999999999999999999992}, {"id": 9007199254740993}, {"id": 0.5}]'
    counts = store(context, orjson.loads(told))
    assert (counts.written, counts.rejected) == (2, 2)
    assert "the key id is 1e+23, a number that was read with its first digits only" in context.rejects[0][1]


@pytest.mark.parametrize("odd", ["k\0", LONG])
@pytest.mark.parametrize("place", ["refused by the table", "refused by the map"])
def test_a_mirror_goes_on_where_no_row_can_have_a_key(context: MemoryContext, odd: str, place: str) -> None:
    """The record is a reject as under upsert; what its page's other records say of deletions counts."""
    rows: list[Record] = [{"id": number, "v": 1} for number in ("a", "b", "c")]
    store(context, rows, mode="mirror")
    with context.unit() as unit:
        unit.connection.exec_driver_sql("CREATE UNIQUE INDEX one ON t (v) WHERE v > 1")
    page: list[Record] = [{"id": odd, "v": 1}, rows[0], {"id": "d", "v": 2}, {"id": "b", "v": 2}]
    refused = [(page.pop(0), "the map says no")] if place == "refused by the map" else []
    counts = store(context, Batch(Page(page), page, page, refused), mode="mirror")
    assert counts.deleted == 1
    assert counts.rejected == (1 if odd in _live(context) else 2)
    assert [key for key in _live(context) if key != odd] == ["a", "b", "d"]


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4), st.integers(0, 30))
def test_spellings_of_a_decimal_share_their_shortest_text(number: Decimal, zeros: int) -> None:
    """It is the same number still, and zeros at its end change nothing."""
    text = format(number, "f")
    assert shortest(f"{text}{'0' * zeros}") == shortest(text)
    assert decimal(shortest(text)) == number
