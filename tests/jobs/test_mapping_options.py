"""What a map may say of a column, and what is refused when it is configured."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from jobs.columns import ColumnOptions, Origin, TableLookup
from jobs.kinds import Kind
from jobs.mapping import mapping

_ORIGINS: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Origin])


def _read(origin: object) -> Any:  # noqa: ANN401  a path or options
    return _ORIGINS.validate_python({"c": origin})["c"]


def test_a_column_is_a_path_or_a_table() -> None:
    """Text stays a path, a table becomes options."""
    assert _read("employee.email") == "employee.email"
    assert _read({"from": "cost", "type": "decimal"}).kind is Kind.DECIMAL


def test_times_of_toml_are_taken_as_their_text() -> None:
    """A default may be written without quotes."""
    assert _read({"type": "date", "default": date(2026, 1, 31)}).default == "2026-01-31"
    made = _read({"type": "timestamp", "constant": datetime(2026, 1, 31, tzinfo=UTC)})
    assert mapping({"c": made}).rows([{}]).rows == [{"c": "2026-01-31T00:00:00.000000Z"}]


def test_a_single_word_is_a_list_of_one() -> None:
    """Words are read without regard to case."""
    assert _read({"type": "boolean", "true": "J", "false": ["N", "-"]}).false == ("n", "-")


def test_a_lookup_is_inline_or_in_a_table() -> None:
    """A table with the key `table` and nothing foreign is one in a database."""
    assert _read({"lookup": {"1": "new"}}).lookup == {"1": "new"}
    found = _read({"lookup": {"database": "w", "table": "t", "key": "k", "value": "v"}}).lookup
    assert found == TableLookup(database="w", table="t", key="k", value="v")
    assert _read({"lookup": {"table": "furniture", "chair": "furniture"}}).lookup["chair"] == "furniture"


@pytest.mark.parametrize(
    ("options", "place", "message"),
    [
        ({"constant": 1, "from": "x"}, (), "from does not go with constant, which is the whole value"),
        ({"constant": 1, "choices": [1]}, (), "choices does not go with constant"),
        ({"constant": "x", "type": "integer"}, (), "constant: expected a whole number of at most 64 bits, found the"),
        ({"type": "decimal", "default": "x"}, (), "default: expected a decimal such as 12.50, found the text 'x'"),
        ({"type": "integer", "choices": [1, "x"]}, (), "choices: expected a whole number"),
        ({"choices": ["a"], "default": "b"}, (), "default: 'b' is none of the choices"),
        ({"choices": [1], "default": True}, (), "default: True is none of the choices"),
        ({"choices": []}, ("choices",), "at least 1 item"),
        ({"format": "iso"}, (), 'format does not go with a type other than "timestamp" and "date"'),
        ({"type": "text", "output": "iso"}, (), "output does not go with a type"),
        ({"type": "text", "true": "j"}, (), 'true does not go with a type other than "boolean"'),
        ({"type": "boolean", "true": "no"}, (), "true and false share the word 'no'"),
        ({"missing": "null"}, (), "missing does not go with a column without lookup"),
        ({"type": "integer", "empty": "keep"}, (), 'empty = "keep" does not go with the type integer'),
        ({"required": True, "default": 1}, (), "required does not go with default"),
        ({"lookup": {}}, ("lookup",), "expected what each value becomes"),
        ({"lookup": {"table": "t"}}, ("lookup", "key"), "Field required"),
        ({"default": float("nan")}, ("default",), "expected a value that JSON knows"),
        ({"from": "a["}, ("from",), "expected a JMESPath such as"),
        ({"type": "timestamp", "format": "%d.%m"}, ("format",), "it does not tell year, month and day"),
        ({"type": "timestamp", "format": "%Y-%m-%d %"}, ("format",), "strptime: "),
        ({"type": "timestamp", "format": "isoo"}, ("format",), "expected one of iso, servicenow, epoch, epoch_ms"),
        ({"type": "timestamp", "output": "isoo"}, ("output",), "nothing in it stands for a part of the time"),
        ({"type": "timestamp", "zone": "Mars"}, ("zone",), "expected an IANA zone such as Europe/Berlin"),
        ({"nope": 1}, ("nope",), "Extra inputs are not permitted"),
    ],
)
def test_what_does_not_agree_is_refused_at_its_place(
    options: dict[str, Any], place: tuple[str, ...], message: str
) -> None:
    """The error stands at the key that a person typed and says what does not fit."""
    with pytest.raises(ValidationError) as refused:
        _read(options)
    (error,) = [error for error in refused.value.errors() if error["loc"] == ("c", *place)]
    assert message in error["msg"]


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"default": 1}, None),
        ({"type": "date"}, Kind.DATE),
        ({"type": "timestamp", "output": "iso"}, Kind.TIMESTAMP),
        ({"type": "timestamp", "output": "epoch_ms"}, Kind.INTEGER),
        ({"type": "date", "output": "%d.%m.%Y"}, Kind.TEXT),
    ],
)
def test_the_mapping_tells_what_its_columns_hold(options: dict[str, Any], kind: Kind | None) -> None:
    """Declared kinds, after `output`; a column without a type is not declared."""
    made = mapping({"c": ColumnOptions.model_validate(options), "plain": "a"})
    assert made.kinds == ({"c": kind} if kind else {})
    assert made.required == frozenset()


def test_the_mapping_tells_what_it_requires() -> None:
    """Columns that are never null."""
    made = mapping({"c": ColumnOptions.model_validate({"required": True}), "plain": "a"})
    assert made.required == {"c"}


def test_a_lookup_in_a_table_needs_somebody_to_answer() -> None:
    """The fault is the caller's, and told when the mapping is made."""
    options = ColumnOptions.model_validate({"lookup": {"table": "t", "key": "k", "value": "v"}})
    with pytest.raises(ValueError, match="the column c: nobody answers lookups in tables here"):
        mapping({"c": options})
