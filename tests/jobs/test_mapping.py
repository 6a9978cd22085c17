"""Mapping: records to rows."""

from typing import Any

import jmespath
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

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
