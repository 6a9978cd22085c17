"""All fields as columns, of which some are made what their types say; and lookups in tables."""

import pytest
import sqlalchemy as sa
from pydantic import TypeAdapter

from jobs.columns import ColumnOptions, TypedColumn
from jobs.contract import GiveUp, Json
from jobs.kinds import Kind
from jobs.lookups import finder
from jobs.mapping import Mapping, mapping
from jobs.testing import MemoryContext

TYPES = TypeAdapter(dict[str, TypedColumn])


def typed(**types: Json) -> Mapping:
    """Returns a mapping of all fields with these types."""
    return mapping(None, types=TYPES.validate_python(types))


def test_fields_are_made_what_their_types_say() -> None:
    """The others stay as they come; a row that lacks a field gets null in it where another row has it."""
    made = typed(at="timestamp", active="boolean", gone="integer")
    mapped = made.rows([{"at": "2026-01-31 08:00:00", "active": "true", "x": 1}, {"at": "", "x": [2]}])
    assert mapped.rows == [
        {"at": "2026-01-31T08:00:00.000000Z", "active": True, "x": 1},
        {"at": None, "active": None, "x": [2]},
    ]
    assert made.kinds == {"at": Kind.TIMESTAMP, "active": Kind.BOOLEAN, "gone": Kind.INTEGER}


def test_what_cannot_be_converted_is_a_reject_with_its_record() -> None:
    """The records stay aligned with the rows."""
    records = [{"n": "1"}, {"n": "x"}, 7, {"n": "3"}]
    mapped = typed(n="integer").rows(records)
    assert mapped.rows == [{"n": 1}, {"n": 3}]
    assert mapped.records == [records[0], records[3]]
    assert [record for record, _ in mapped.rejects] == [7, records[1]]
    assert records[0] == {"n": "1"}


def test_a_constant_and_what_is_required_are_there_in_every_row() -> None:
    """Also where no record has the field."""
    mapped = typed(source={"constant": "tangoe"}, serial={"required": True}).rows([{"serial": "A"}, {"x": 1}])
    assert mapped.rows == [{"serial": "A", "source": "tangoe"}]
    assert [record for record, _ in mapped.rejects] == [{"x": 1}]


def test_a_lookup_is_answered_from_a_table() -> None:
    """In one query a page; what the table does not know is a reject."""
    column = ColumnOptions.model_validate({"from": "site", "lookup": {"table": "sites", "key": "code", "value": "id"}})
    with MemoryContext() as context:
        with context.unit() as unit:
            unit.connection.exec_driver_sql("CREATE TABLE sites (code TEXT, id INTEGER)")
            unit.connection.execute(
                sa.text("INSERT INTO sites VALUES (:code, :id)"), [{"code": f"c{n}", "id": n} for n in range(1200)]
            )
        made = mapping({"site": column}, find=finder(context))
        mapped = made.rows([{"site": f"c{n}"} for n in range(1201)])
        assert mapped.rows == [{"site": n} for n in range(1200)]
        assert [record for record, _ in mapped.rejects] == [{"site": "c1200"}]


def test_a_lookup_in_a_table_that_is_not_there_gives_up() -> None:
    """The message names the table and what to check."""
    column = ColumnOptions.model_validate({"lookup": {"table": "sites", "key": "code", "value": "id"}})
    with MemoryContext() as context, pytest.raises(GiveUp, match=r"the lookup in sites \(code to id\) cannot be made"):
        mapping({"site": column}, find=finder(context)).rows([{"site": "c1"}])
