"""Kinds of columns: inferred from values, and what fits into them."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from jobs.contract import Json
from jobs.convert import found
from jobs.kinds import Kind
from jobs.sinks.kinds import Column, fit, infer, utc_text
from jobs.sinks.schema import create, reflect
from jobs.testing import MemoryContext

ZONES = st.builds(timezone, st.builds(timedelta, minutes=st.integers(-14 * 60, 14 * 60)))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = SCALARS | st.lists(st.integers(-9, 9), max_size=2) | st.dictionaries(st.text(), st.booleans(), max_size=2)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([None, None], None),
        ([], None),
        (["a", None], Kind.TEXT),
        ([1, None, 2], Kind.INTEGER),
        ([1, 2.5], Kind.FLOAT),
        ([True, False], Kind.BOOLEAN),
        ([True, 1], Kind.TEXT),
        ([2**63 - 1, -(2**63)], Kind.INTEGER),
        ([2**63], Kind.TEXT),
        ([2**53 + 1, 0.5], Kind.TEXT),
        ([{"a": 1}, [1]], Kind.JSON),
        ([{"a": 1}, "a"], Kind.TEXT),
        (["2026-01-31T08:00:00Z", "2026-01-31 08:00:00.5+02:00"], Kind.TIMESTAMP),
        (["2026-01-31T08:00:00Z", ""], Kind.TIMESTAMP),
        (["2026-01-31T08:00:00Z", "soon"], Kind.TEXT),
        (["2026-01-31T08:00:00"], Kind.TEXT),
        (["2026-01-31"], Kind.TEXT),
        (["2026-02-31T08:00:00Z"], Kind.TEXT),
        (["20260131T080000Z"], Kind.TEXT),
        (["2026-W05-6T08:00:00Z"], Kind.TEXT),
        (["", ""], Kind.TEXT),
    ],
)
def test_a_kind_is_inferred_from_all_values(values: list[Any], kind: Kind | None) -> None:
    """What is doubtful is text, what is null says nothing."""
    assert infer(values) is kind


@given(st.datetimes(timezones=ZONES).filter(lambda at: 1 < at.year < 9999), st.sampled_from("T "))
def test_times_are_kept_in_utc_in_one_form(at: datetime, between: str) -> None:
    """Any zone, any precision: 27 characters that sort as time does."""
    stored = utc_text(at.isoformat(sep=between))
    assert len(stored) == 27
    assert datetime.fromisoformat(stored) == at.astimezone(UTC)


@given(st.lists(VALUES, max_size=6), st.booleans())
def test_what_a_kind_was_inferred_from_fits_it(values: list[Any], strict: bool) -> None:
    """The page that makes a column goes into it whole."""
    kind = infer(values)
    if kind is not None:
        stored, reasons = fit(Column("c", kind, strict=strict), values)
        assert reasons == {}
        assert [value is None for value in stored] == [
            value is None or (value == "" and kind is Kind.TIMESTAMP) for value in values
        ]


@given(st.sampled_from([kind for kind in Kind if kind is not Kind.OTHER]), st.lists(VALUES, max_size=6))
def test_what_does_not_fit_is_named_by_its_place(kind: Kind, values: list[Any]) -> None:
    """Bad values never keep good ones out, and fitting one by one says the same as fitting all."""
    column = Column("c", kind, strict=True)
    stored, reasons = fit(column, values)
    assert len(stored) == len(values)
    for place, value in enumerate(values):
        alone, why = fit(column, [value])
        assert (place in reasons) == bool(why)
        assert place in reasons or stored[place] == alone[0]


@pytest.mark.parametrize(
    ("kind", "value", "stored"),
    [
        (Kind.TEXT, 5, "5"),
        (Kind.TEXT, True, "true"),
        (Kind.TEXT, 2**70, str(2**70)),
        (Kind.TEXT, {"b": 1, "a": [2]}, '{"a":[2],"b":1}'),
        (Kind.INTEGER, 10.0, 10),
        (Kind.FLOAT, 3, 3),
        (Kind.DECIMAL, "12.50", "12.50"),
        (Kind.DECIMAL, 0.1, "0.1"),
        (Kind.DECIMAL, 2**70, str(2**70)),
        (Kind.DECIMAL, "", None),
        (Kind.DATE, "2026-01-31", "2026-01-31"),
        (Kind.DATE, "2026-01-31T00:00:00Z", "2026-01-31"),
        (Kind.DATE, "", None),
        (Kind.JSON, "x", '"x"'),
        (Kind.TIMESTAMP, "", None),
        (Kind.TIMESTAMP, "2026-01-31T08:00:00+02:00", "2026-01-31T06:00:00.000000Z"),
        (Kind.NAIVE, "2026-01-31T08:00:00+02:00", "2026-01-31T06:00:00.000000Z"),
        (Kind.NAIVE, "2026-01-31 08:00:00", "2026-01-31 08:00:00"),
        (Kind.OTHER, [1], "[1]"),
    ],
)
def test_values_are_stored_without_loss(kind: Kind, value: Json, stored: Json) -> None:
    """Text takes everything, other kinds what they can hold exactly."""
    assert fit(Column("c", kind, strict=True), [value]) == ([stored], {})


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Kind.INTEGER, 10.5),
        (Kind.INTEGER, 2**63),
        (Kind.INTEGER, True),
        (Kind.INTEGER, "7"),
        (Kind.FLOAT, 2**53 + 1),
        (Kind.FLOAT, "n/a"),
        (Kind.BOOLEAN, 1),
        (Kind.DECIMAL, "NaN"),
        (Kind.DECIMAL, True),
        (Kind.DATE, "2026-01-31T08:00:00Z"),
        (Kind.DATE, "31.01.2026"),
        (Kind.TIMESTAMP, "2026-01-31"),
        (Kind.TIMESTAMP, 7),
        (Kind.TIMESTAMP, "0001-01-01T00:00:00+14:00"),
    ],
)
def test_a_strict_database_rejects_what_does_not_fit(kind: Kind, value: Json) -> None:
    """The reason names the column, its kind and the value."""
    _, reasons = fit(Column("amount", kind, strict=True), [None, value])
    assert reasons == {1: f"amount is a column of the kind {kind}, which cannot hold {found(value)}"}


@pytest.mark.parametrize("value", ["n/a", 10.5, True, [1], "2026"])
def test_a_loose_database_takes_what_it_keeps_unchanged(value: Json) -> None:
    """SQLite's columns hold anything but text that they would make a number of."""
    _, reasons = fit(Column("c", Kind.INTEGER), [value])
    assert bool(reasons) == (value == "2026")


def test_small_integers_have_small_bounds() -> None:
    """A column of 16 bits in a table of the user's own is not handed more."""
    assert list(fit(Column("c", Kind.INTEGER, bits=16, strict=True), [32767, 32768])[1]) == [1]


@pytest.mark.parametrize(("kind", "value"), [(Kind.DECIMAL, "n/a"), (Kind.DATE, "soon"), (Kind.DATE, 7)])
def test_a_loose_database_keeps_what_is_no_decimal_or_date_as_text(kind: Kind, value: Json) -> None:
    """As it does with times: a map that declares the type would have rejected it."""
    assert fit(Column("c", kind), [value]) == ([str(value)], {})


def test_decimals_and_dates_are_stored_exactly(context: MemoryContext) -> None:
    """Their columns are found again as what they were made for, and keep each digit."""
    kinds = {"id": Kind.INTEGER, "price": Kind.DECIMAL, "day": Kind.DATE}
    rows = [{"id": 1, "price": "0.10", "day": "2026-01-31"}, {"id": 2, "price": "9" * 40 + ".5", "day": None}]
    with context.unit() as unit:
        create(unit.connection, "t", kinds, ["id"])
        table = reflect(unit.connection, "t")
        unit.connection.execute(sa.text("INSERT INTO t (id, price, day) VALUES (:id, :price, :day)"), rows)
    assert table is not None
    assert {name: table.columns[name].kind for name in kinds} == kinds
    found = [(str(row["price"]), row["day"] and str(row["day"])) for row in context.rows("t", "id")]
    assert found == [(row["price"], row["day"]) for row in rows]
