"""Keys that databases see otherwise than texts: one record in two spellings, keys that no row can have."""

from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from jobs.contract import Counts, Json
from jobs.kinds import Kind
from jobs.numerals import decimal, shortest
from jobs.testing import MemoryContext
from tests.jobs.filling import store
from worker.store.database import Database

UPPER, LOWER = "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
OTHER = LOWER.replace("a", "b")
MODES = ["upsert", "mirror", "replace"]


def _stored(context: MemoryContext) -> list[tuple[str, Json]]:
    with context.unit() as unit:
        return [(str(row.id), row.v) for row in unit.connection.execute(sa.text("SELECT id, v FROM t ORDER BY id"))]


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


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4), st.integers(0, 30))
def test_spellings_of_a_decimal_share_their_shortest_text(number: Decimal, zeros: int) -> None:
    """It is the same number still, and zeros at its end change nothing."""
    text = format(number, "f")
    assert shortest(f"{text}{'0' * zeros}") == shortest(text)
    assert decimal(shortest(text)) == number
