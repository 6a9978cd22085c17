"""Lookups in tables: what is asked, what is unknown, and what ends the run."""

from typing import Any

import pytest
import sqlalchemy as sa

from jobs.columns import ColumnOptions
from jobs.contract import GiveUp, Json
from jobs.lookups import finder
from jobs.mapping import mapping
from jobs.testing import MemoryContext
from worker.store.database import Database

UPPER = "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"
LOOKUP = ColumnOptions.model_validate({"from": "site", "lookup": {"table": "sites", "key": "code", "value": "name"}})


def _table(context: MemoryContext, kind: str, codes: list[Json]) -> None:
    with context.unit() as unit:
        unit.connection.exec_driver_sql(f"CREATE TABLE sites (code {kind}, name TEXT)")
        rows = [{"code": code, "name": f"s{code}"} for code in codes]
        insert = sa.text(f"INSERT INTO sites VALUES (CAST(:code AS {kind}), :name)")
        unit.connection.execute(insert, rows)


def _looked_up(context: MemoryContext, values: list[Any]) -> tuple[list[Json], list[Json]]:
    """Returns what stands beside the values, and the values that became rejects."""
    mapped = mapping({"site": LOOKUP}, find=finder(context)).rows([{"site": value} for value in values])
    return [row["site"] for row in mapped.rows], [record["site"] for record, _ in mapped.rejects]


def test_a_lookup_is_answered_from_a_table(context: MemoryContext) -> None:
    """What the table does not know is a reject, over several queries too."""
    _table(context, "TEXT", [f"c{n}" for n in range(1200)])
    found, rejected = _looked_up(context, [f"c{n}" for n in range(1201)])
    assert found == [f"sc{n}" for n in range(1200)]
    assert rejected == ["c1200"]


@pytest.mark.parametrize("odd", ["n/a", "", True, 7.5, 2**40, 2**70, "a\0b"])
def test_a_value_that_no_key_can_be_is_unknown(context: MemoryContext, odd: Json) -> None:
    """It costs its own record, not the run; the page's other values are found."""
    _table(context, "INTEGER", [5, 6])
    assert _looked_up(context, [5, odd, 6, 5.0]) == (["s5", "s6", "s5"], [odd])


@pytest.mark.parametrize("odd", ["a\0b", 5, {"no": "text"}])
def test_a_text_that_no_key_can_be_is_unknown(context: MemoryContext, odd: Json) -> None:
    """PostgreSQL has no NUL in texts, and compares no text with a number."""
    _table(context, "TEXT", ["a", "b"])
    assert _looked_up(context, ["a", odd, "b"]) == (["sa", "sb"], [odd])


def test_a_key_of_another_type_is_told_once(postgres_database: Database) -> None:
    """All are unknown then, and rejects alone would not say why."""
    with MemoryContext(write=postgres_database.write) as context:
        _table(context, "uuid", [UPPER])
        made = mapping({"site": LOOKUP}, find=finder(context))
        assert [len(made.rows([{"site": "a"}, {"site": "b"}]).rejects) for _ in range(2)] == [2, 2]
        ((level, text, fields),) = context.said
    assert (level, text) == ("warning", "a lookup cannot find values of this type: its key is of another")
    assert fields["why"].startswith("operator does not exist: uuid = ")


def test_a_lookup_in_a_table_that_is_not_there_gives_up(context: MemoryContext) -> None:
    """The message names the table and what to check."""
    with pytest.raises(GiveUp, match=r"the lookup in sites \(code to name\) cannot be made: .*Check the table"):
        _looked_up(context, ["c1"])
