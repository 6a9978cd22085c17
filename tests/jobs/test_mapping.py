"""Mapping: records to rows."""

from typing import Any

import jmespath
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from jobs.columns import ColumnOptions
from jobs.contract import Json
from jobs.mapping import Mapped, column_name, mapping
from jobs.paths import Path, getter

NAMES = st.sampled_from(["a", "b", "c"])
DOCUMENTS = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@given(DOCUMENTS, st.lists(NAMES, min_size=1, max_size=3))
def test_plain_and_dotted_paths_mean_what_jmespath_says(document: Json, steps: list[str]) -> None:
    """The shortcut gives what the interpreter would."""
    path = ".".join(steps)
    assert getter(path)(document) == jmespath.search(path, document)


@given(st.lists(st.dictionaries(NAMES, DOCUMENTS, max_size=3), max_size=4))
def test_a_map_gives_every_column_in_its_order(records: list[dict[str, Any]]) -> None:
    """Each row has all columns, null where a path finds nothing."""
    paths = {"x": "a", "deep": "b.c", "y": "b", "first": "c[0]"}
    mapped = mapping(paths).rows(records)
    expected = [{column: jmespath.search(path, record) for column, path in paths.items()} for record in records]
    assert mapped == Mapped(expected, records, [])
    assert all(list(row) == list(paths) for row in mapped.rows)


def test_a_map_of_one_column_works_too() -> None:
    """One plain path is no special case for who configures it."""
    assert mapping({"x": "a"}).rows([{"a": 1}, {}]).rows == [{"x": 1}, {"x": None}]


def test_a_record_that_cannot_be_mapped_is_rejected() -> None:
    """A function that fails on one record says so; the others go on."""
    mapped = mapping({"n": "length(tags)"}).rows([{"tags": [1, 2]}, {"tags": 7}])
    assert mapped.rows == [{"n": 2}]
    assert mapped.rejects[0][0] == {"tags": 7}
    assert mapped.rejects[0][1].startswith("the column n: the path 'length(tags)' cannot be applied: ")


def test_without_a_map_every_field_becomes_a_column() -> None:
    """Names that are columns already stay; nested values stay as they are."""
    records: list[dict[str, Any]] = [{"id": 1, "camelCase": {"a": [1]}}, {"id": 2, "extra": None}]
    assert mapping(None).rows(records) == Mapped(records, records)


@pytest.mark.parametrize(
    ("field", "column"),
    [
        ("camelCase", "camelCase"),
        ("Order ID", "Order_ID"),
        ("@type", "_type"),
        ("2fa", "_2fa"),
        ("größe", "größe"),
        ("", "_"),
    ],
)
def test_fields_are_normalised(field: str, column: str) -> None:
    """Letters, digits and underscores; a digit in front gets company."""
    assert column_name(field) == column
    assert mapping(None).rows([{field: 1}]).rows == [{column: 1}]


@given(st.text(max_size=120))
def test_every_field_has_a_valid_column(field: str) -> None:
    """Whatever an API calls its fields, the name is one that databases take."""
    name = column_name(field)
    assert name.isidentifier() or name.replace("_", "a").isalnum()
    assert 0 < len(name.encode()) <= 63
    assert column_name(name) == name


def test_two_fields_of_one_column_are_rejected_with_the_remedy() -> None:
    """The first keeps the column, over pages too; records with the other one say what to do."""
    all_fields = mapping(None)
    assert all_fields.rows([{"a-b": 1}]).rows == [{"a_b": 1}]
    mapped = all_fields.rows([{"a-b": 2}, {"A_B": 3}])
    assert (mapped.rows, mapped.records) == ([{"a_b": 2}], [{"a-b": 2}])
    assert mapped.rejects == [
        (
            {"A_B": 3},
            "the field 'A_B' would become the column A_B, which is taken by the field 'a-b'; name the columns in map",
        )
    ]


def test_the_columns_of_the_worker_are_taken() -> None:
    """A field cannot pass for what the worker writes."""
    mapped = mapping(None, reserved=["_run_id"]).rows([{"_run_id": 1}, {"id": 2}])
    assert mapped.rows == [{"id": 2}]
    assert "taken by the worker" in mapped.rejects[0][1]


@pytest.mark.parametrize("bad", ["a[", "order-id", "", "a..b", "nosuch(", "a b"])
def test_broken_paths_are_refused_when_configured(bad: str) -> None:
    """The error shows the path and what a good one looks like."""
    with pytest.raises(ValidationError, match="expected a JMESPath such as"):
        TypeAdapter(Path).validate_python(bad)


def test_a_map_of_no_columns_loses_no_record() -> None:
    """Each record is still a row, if an empty one."""
    assert mapping({}).rows([{"a": 1}, {}]).rows == [{}, {}]


@pytest.mark.parametrize("columns", [None, {"x": "a"}, {"x": "a", "y": "b.c"}])
def test_what_is_no_object_is_a_reject(columns: dict[str, str] | None) -> None:
    """The objects beside it go on."""
    mapped = mapping(columns).rows([7, {"a": 1}, None, "text", [{}]])
    assert mapped.records == [{"a": 1}]
    assert [record for record, _ in mapped.rejects] == [7, None, "text", [{}]]
    assert mapped.rejects[0][1] == "expected a record that is an object, found the number 7"


def test_a_function_that_python_refuses_is_a_reject_too() -> None:
    """JMESPath's library lets some faults of types through."""
    mapped = mapping({"n": "contains(tags, `1`)"}).rows([{"tags": [1, 2]}, {"tags": "12"}])
    assert mapped.rows == [{"n": True}]
    assert mapped.rejects[0][1].startswith("the column n: the path 'contains(tags, `1`)' cannot be applied: ")


@pytest.mark.parametrize("path", ["to_number(a)", "{b: [to_number(a)]}", "sum([to_number(a)])"])
@pytest.mark.parametrize("options", [{}, {"type": "json"}])
def test_what_a_function_makes_and_json_cannot_hold_is_a_reject(path: str, options: dict[str, Any]) -> None:
    """NaN and infinity went into tables as null, or as something no number compares with."""
    records: list[Json] = [{"a": "nan"}, {"a": "1"}, {"a": "1e999"}]
    mapped = mapping({"c": ColumnOptions.model_validate({"from": path, **options})}).rows(records)
    assert mapped.records == [records[1]]
    assert [record for record, _ in mapped.rejects] == [records[0], records[2]]
    assert "which JSON cannot hold" in mapped.rejects[0][1]


def test_nested_objects_are_flattened_on_wish() -> None:
    """Level by level; lists stay, and an empty object says nothing."""
    records = [{"id": 1, "user": {"name": "Ann", "home": {"Zip Code": "1"}}}, {"id": 2, "user": {}, "tags": [{"a": 1}]}]
    mapped = mapping(None, flatten=True).rows(records)
    assert mapped.rows == [
        {"id": 1, "user_name": "Ann", "user_home_Zip_Code": "1"},
        {"id": 2, "user": None, "tags": [{"a": 1}]},
    ]
    assert mapped.records == records


def test_flattened_fields_that_meet_are_rejected() -> None:
    """Neither value is lost in silence, within a record as over pages."""
    made = mapping(None, flatten=True, reserved=["_run_id"])
    mapped = made.rows([{"a": {"b": 1}, "a_b": 2}, {"a": {"b": 3}}, {"a.b": 4}, {"_run": {"id": 5}}])
    assert mapped.rows == [{"a_b": 3}]
    assert [reason for _, reason in mapped.rejects] == [
        "the field 'a_b' would become the column a_b, which is taken by the field 'a.b'; name the columns in map",
        "the field 'a.b' would become the column a_b, which is taken by the field 'a.b'; name the columns in map",
        "the field '_run.id' would become the column _run_id, which is taken by the worker; name the columns in map",
    ]


@given(st.lists(st.dictionaries(st.text(max_size=3), DOCUMENTS, max_size=3), max_size=4))
def test_flattening_leaves_no_object_and_loses_no_value(records: list[dict[str, Any]]) -> None:
    """Each value of a record that comes through stands in its row."""

    def leaves(value: Json) -> list[str]:
        return (
            [leaf for part in value.values() for leaf in leaves(part) or ["None"]]
            if isinstance(value, dict)
            else [repr(value)]
        )

    mapped = mapping(None, flatten=True).rows(records)
    assert len(mapped.rows) + len(mapped.rejects) == len(records)
    for record, row in zip(mapped.records, mapped.rows, strict=True):
        assert not any(isinstance(value, dict) for value in row.values())
        assert sorted(map(repr, row.values())) == sorted(leaves(record))
