"""Columns with options: values converted, looked up, judged; what does not fit is a reject that says why."""

import math
from collections.abc import Collection
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.columns import ColumnOptions, TableLookup
from jobs.contract import Json
from jobs.convert import Conversion
from jobs.kinds import Kind
from jobs.mapping import mapping

TYPES = ["text", "integer", "decimal", "float", "boolean", "timestamp", "date", "json"]
SPELLED = st.sampled_from(
    ["", " ", "42", "-0.0", "1e3", "true", "No", "2026-01-31", "2026-01-31T08:00:00Z", "٣", "1_0"]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | SPELLED
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2),
    max_leaves=4,
)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "from": st.sampled_from(["c", "c.a", "length(c)", "c[0]", "contains(c, `1`)", "to_number(c)"]),
        "type": st.sampled_from(TYPES),
        "lookup": st.just({"1": "2026-01-31", "true": None, "x": 5}),
        "required": st.booleans(),
    },
)


def _options(**options: Any) -> ColumnOptions:  # noqa: ANN401  as TOML would hold them
    return ColumnOptions.model_validate({"from": "c", **options})


def _made(value: Json, **options: Any) -> Json:  # noqa: ANN401  as TOML would hold them
    (row,) = mapping({"c": _options(**options)}).rows([{"c": value}]).rows
    return row["c"]


def _reason(value: Json, **options: Any) -> str:  # noqa: ANN401  as TOML would hold them
    mapped = mapping({"c": _options(**options)}).rows([{"c": value}])
    assert (mapped.rows, mapped.records) == ([], [])
    ((record, reason),) = mapped.rejects
    assert record == {"c": value}
    return reason


@pytest.mark.parametrize(
    ("kind", "value", "made"),
    [
        ("text", 5, "5"),
        ("text", 2**70, str(2**70)),
        ("text", True, "true"),
        ("text", 0.1, "0.1"),
        ("text", {"b": 1, "a": [2]}, '{"a":[2],"b":1}'),
        ("text", "", ""),
        ("integer", "42", 42),
        ("integer", " +42.00 ", 42),
        ("integer", 42.0, 42),
        ("integer", -(2**63), -(2**63)),
        ("integer", "", None),
        ("decimal", "12.50", "12.50"),
        ("decimal", 0.1, "0.1"),
        ("decimal", 12, "12"),
        ("decimal", "1e3", "1000"),
        ("decimal", 1e22, "1" + 22 * "0"),
        ("decimal", 5e-7, "0.0000005"),
        ("decimal", "-0.00", "0.00"),
        ("decimal", "007.50", "7.50"),
        ("decimal", ".5", "0.5"),
        ("float", "2.5e3", 2500.0),
        ("float", 3, 3.0),
        ("boolean", "Yes", True),
        ("boolean", "0", False),
        ("boolean", 1, True),
        ("boolean", "", None),
        ("json", {"b": [1]}, {"b": [1]}),
        ("json", "x", "x"),
        ("timestamp", None, None),
    ],
)
def test_values_become_what_the_column_holds(kind: str, value: Json, made: Json) -> None:
    """Exactly, or not at all; an empty text is no value but in text."""
    found = _made(value, type=kind)
    assert (found, type(found)) == (made, type(made))


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        ("integer", 42.5, "expected a whole number of at most 64 bits, found the number 42.5"),
        ("integer", 2**63, "expected a whole number of at most 64 bits, found the number 9223372036854775808"),
        ("integer", True, "expected a whole number of at most 64 bits, found true"),
        ("integer", "1_000", "expected a whole number of at most 64 bits, found the text '1_000'"),
        ("integer", 10**99, "expected a whole number of at most 64 bits, found a number of more than 60 digits"),
        ("decimal", "NaN", "expected a decimal such as 12.50, found the text 'NaN'"),
        ("decimal", math.inf, "expected a decimal such as 12.50, found the number inf"),
        ("decimal", "1e999999999", "expected a decimal such as 12.50, found the text '1e999999999'"),
        ("decimal", "1,50", "expected a decimal such as 12.50, found the text '1,50'"),
        ("float", "1e999", "expected a number, found the text '1e999'"),
        ("float", "infinity", "expected a number, found the text 'infinity'"),
        ("float", [1], "expected a number, found a list"),
        ("boolean", "maybe", "expected true or false (true, yes, 1, false, no, 0), found the text 'maybe'"),
        ("boolean", 2, "expected true or false (true, yes, 1, false, no, 0), found the number 2"),
        ("date", {"a": 1}, "expected a date in ISO 8601 such as 2026-01-31, found an object"),
        (
            "timestamp",
            "x" * 99,
            f"expected a time in ISO 8601 such as 2026-01-31T08:00:00Z, found the text '{'x' * 59}",
        ),
    ],
)
def test_what_cannot_be_converted_is_a_reject(kind: str, value: Json, reason: str) -> None:
    """The reason names the column, what was expected and what was found, cut to 60 characters."""
    assert _reason(value, type=kind) == f"the column c: {reason}"


def test_words_of_ones_own_replace_the_usual() -> None:
    """True and false themselves stay."""
    words = {"type": "boolean", "true": ["J", "ja"], "false": "N"}
    assert [_made(value, **words) for value in ("JA", "n", True)] == [True, False, True]
    assert "(j, ja, n)" in _reason("true", **words)


def test_a_default_stands_in_for_nothing_only() -> None:
    """For null, for what is missing, for an empty number; not for what cannot be converted, nor for zero."""
    assert [_made(value, type="integer", default=7) for value in (None, "", 0)] == [7, 7, 0]
    assert mapping({"c": _options(default="x")}).rows([{}]).rows == [{"c": "x"}]
    assert "found the text 'x'" in _reason("x", type="integer", default=7)


def test_empty_texts_are_kept_or_null() -> None:
    """Kept in text and where no type is declared, unless the option says otherwise."""
    assert [_made("", type="text"), _made("")] == ["", ""]
    assert [_made("", type="text", empty="null"), _made("", empty="null", default="x")] == [None, "x"]


def test_a_constant_needs_no_record() -> None:
    """It is converted as a value of its type."""
    assert mapping({"c": ColumnOptions.model_validate({"constant": "5", "type": "integer"})}).rows([{}]).rows == [
        {"c": 5}
    ]


def test_without_a_path_the_field_of_the_name_is_read() -> None:
    """The column's name is no path: dots and blanks in it mean nothing."""
    made = mapping({"a.b": ColumnOptions.model_validate({"type": "integer"})})
    assert made.rows([{"a.b": "1", "a": {"b": 2}}]).rows == [{"a.b": 1}]


def test_what_is_required_and_missing_is_a_reject() -> None:
    """Null, missing and empty alike; the reason tells where the value should have come from."""
    assert _reason(None, required=True) == "the column c is required, and the path 'c' gives nothing"
    assert _reason("", required=True, type="date") == "the column c is required, and the path 'c' gives nothing"
    made = mapping({"c": ColumnOptions.model_validate({"required": True})})
    assert made.rows([{}]).rejects == [({}, "the column c is required, and the field of that name gives nothing")]


def test_only_choices_come_through() -> None:
    """They are compared as values of the type; null is none of them, but allowed."""
    options = {"type": "decimal", "choices": ["1.50", 2]}
    assert [_made(value, **options) for value in ("1.50", "2", None)] == ["1.50", "2", None]
    assert _reason("3", **options) == "the column c: expected one of 1.50, 2, found the text '3'"
    assert _reason([1], choices=["a"]) == "the column c: expected one of a, found a list"


@pytest.mark.parametrize("typed", [{}, {"type": "json"}])
def test_a_choice_is_met_by_its_like_alone(typed: dict[str, str]) -> None:
    """Python's 1, true and 1.0 are equal, JSON's are not; the order of an object's fields means nothing."""
    options = {"choices": [1, [0], {"a": 1, "b": 2}], **typed}
    assert [_made(value, **options) for value in (1, [0], {"b": 2, "a": 1})] == [1, [0], {"a": 1, "b": 2}]
    for value in (True, 1.0, [False], {"a": True, "b": 2}):
        assert "expected one of 1" in _reason(value, **options)


def test_a_lookup_puts_another_value_in_place() -> None:
    """Before the type is looked at; numbers and truths are looked up as they are written."""
    states = {"lookup": {"1": "new", "true": "on", "x": 7}}
    assert [_made(value, **states) for value in ("1", 1, 1.0, True, "x", None)] == ["new"] * 3 + ["on", 7, None]
    assert _made("x", type="text", **states) == "7"


def test_what_a_lookup_does_not_know_goes_by_the_option() -> None:
    """A reject by default."""
    assert _reason("2", lookup={"1": "new"}) == "the column c: expected a value the lookup knows, found the text '2'"
    assert _made("2", lookup={"1": "new"}, missing="keep") == "2"
    assert _made("2", lookup={"1": "new"}, missing="null", default="?") == "?"
    assert _made([1], lookup={"1": "new"}, missing="null") is None


def test_a_table_is_asked_once_a_page_with_the_distinct_values() -> None:
    """What is null, or nothing that a table could hold, is not asked for."""
    asked = []

    def find(lookup: TableLookup, values: Collection[Json]) -> dict[Json, Json]:
        asked.append((lookup.table, set(values)))
        return {"a": 1, "b": 2}

    options = _options(lookup={"table": "t", "key": "k", "value": "v"})
    mapped = mapping({"c": options}, find=find).rows([{"c": value} for value in ("a", "b", "a", None, "z", [1])])
    assert asked == [("t", {"a", "b", "z"})]
    assert mapped.rows == [{"c": 1}, {"c": 2}, {"c": 1}, {"c": None}]
    assert [reason for _, reason in mapped.rejects] == [
        "the column c: expected a value of k in the table t, found the text 'z'",
        "the column c: expected a value of k in the table t, found a list",
    ]


def test_the_first_column_that_fails_tells_the_reason() -> None:
    """A record is rejected once."""
    columns = {"a": _options(type="integer"), "b": _options(type="date")}
    ((_, reason),) = mapping(columns).rows([{"c": "x"}]).rejects
    assert reason.startswith("the column a: ")


@given(st.lists(st.dictionaries(st.sampled_from(["c", "d"]), ANYTHING, max_size=2) | ANYTHING, max_size=5), OPTIONS)
def test_each_record_is_a_row_or_a_reject(records: list[Any], options: dict[str, Any]) -> None:
    """Whatever comes, nothing is raised or lost, rows keep their order; a record fares alone as among others."""
    made = mapping({"plain": "d", "c": ColumnOptions.model_validate(options)})
    mapped, alone = made.rows(records), [made.rows([record]) for record in records]
    assert all(len(one.rows) + len(one.rejects) == 1 for one in alone)
    assert repr(mapped.rows) == repr([row for one in alone for row in one.rows])  # NaN is not equal to itself
    assert repr(mapped.records) == repr([record for one in alone for record in one.records])
    assert sorted(map(repr, mapped.rejects)) == sorted(repr(reject) for one in alone for reject in one.rejects)


@given(st.sampled_from(list(Kind)), ANYTHING.filter(lambda value: value is not None))
def test_converting_twice_changes_nothing(kind: Kind, value: Json) -> None:
    """What comes out is what the column holds."""
    convert = Conversion.of(kind).convert
    try:
        once = convert(value)
    except (ValueError, OverflowError):
        return
    assert repr(convert(once)) == repr(once)


@given(
    st.decimals(allow_nan=False, allow_infinity=False, places=6) | st.decimals(allow_nan=False, allow_infinity=False)
)
def test_decimals_are_exact(number: Decimal) -> None:
    """Text without an exponent that stands for the very number, or a reject for one of a thousand digits."""
    try:
        text = Conversion.of(Kind.DECIMAL).convert(str(number))
    except ValueError:
        assert abs(number.adjusted()) > 900
        return
    assert Decimal(text) == number
    assert "e" not in text.lower()


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_decimals_of_json_numbers_are_as_they_are_written(number: float) -> None:
    """0.1 stays 0.1, and gives the same float again."""
    text = Conversion.of(Kind.DECIMAL).convert(number)
    assert Decimal(text) == Decimal(repr(number))
    assert float(text) == number


@given(st.integers())
def test_integers_come_through_whole_or_not_at_all(number: int) -> None:
    """As numbers and as text, within 64 bits."""
    mapped = mapping({"c": _options(type="integer")}).rows([{"c": number}, {"c": str(number)}])
    fits = -(2**63) <= number < 2**63
    assert [row["c"] for row in mapped.rows] == [number] * (2 if fits else 0)
