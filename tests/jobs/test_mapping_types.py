"""All fields as columns, of which some are made what their types say."""

from pydantic import TypeAdapter

from jobs.columns import TypedColumn
from jobs.contract import Json
from jobs.kinds import Kind
from jobs.mapping import Mapping, mapping

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
