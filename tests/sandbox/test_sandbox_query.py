"""Encoded queries: each operator, groups, order, and that the quick way equals the scan."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.sandbox.query import Query, parse, select, shuffled
from worker.sandbox.table import PLAIN, Row, Table

COLUMNS = ("sys_id", "sys_updated_on", "state", "name", "count")


def _table(rows: list[Row]) -> Table:
    table = Table("sys_id", "sys_updated_on", PLAIN)
    table.fill(rows)
    return table


def _row(key: str, stamp: str, **more: str) -> Row:
    row: Row = {"sys_id": key, "sys_updated_on": stamp, "state": "", "name": "", "count": "0"}
    return row | more


ROWS = [
    _row("a", "2025-01-01 00:00:00", state="1", name="Printer", count="9"),
    _row("b", "2025-01-01 00:00:00", state="2", name="printer", count="10"),
    _row("c", "2025-01-02 00:00:00", state="3", name="VPN", count="100"),
    _row("d", "2025-01-03 00:00:00", name="Mail"),
]


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("", "abcd"),
        ("state=1", "a"),
        ("state!=1", "bcd"),
        ("count>9", "bc"),
        ("count>=9", "abc"),
        ("count<10", "ad"),
        ("count<=10", "abd"),
        ("nameLIKErint", "ab"),
        ("nameSTARTSWITHp", "b"),
        ("stateIN1,3", "ac"),
        ("stateISEMPTY", "d"),
        ("stateISNOTEMPTY", "abc"),
        ("state=1^ORstate=2^nameLIKEprint", "b"),
        ("state=1^NQstate=3", "ac"),
        ("unknown=1^state=3", "c"),
        ("unknown=1", "abcd"),
        ("sys_updated_on>2025-01-01 00:00:00", "cd"),
        ("sys_updated_on>=2025-01-01 00:00:00^sys_updated_on<2025-01-03 00:00:00", "abc"),
        ("ORDERBYDESCsys_id", "dcba"),
        ("ORDERBYDESCcount^ORDERBYsys_id", "cbad"),
        ("ORDERBYname", "dacb"),
        ("state=1^ORDERBYunknown", "a"),
    ],
)
def test_what_a_query_selects(text: str, keys: str) -> None:
    """Each operator and joiner, on four rows."""
    assert "".join(select(_table(ROWS), parse(text, COLUMNS))) == keys


STAMPS = [datetime(2025, 1, day, tzinfo=UTC).strftime(PLAIN) for day in range(1, 6)]
conditions = st.builds(
    "{}{}{}".format,
    st.sampled_from(["sys_updated_on", "sys_id"]),
    st.sampled_from(["=", ">", ">=", "<", "<="]),
    st.one_of(st.sampled_from(STAMPS), st.sampled_from("abcdefgh"), st.just("")),
)
queries = st.lists(st.lists(conditions, max_size=4).map("^".join), min_size=1, max_size=3).map("^NQ".join)


@given(text=queries, stamps=st.lists(st.sampled_from(STAMPS), max_size=8))
def test_the_quick_way_equals_the_scan(text: str, stamps: list[str]) -> None:
    """In order of change, the stretches found by bisection hold exactly the rows that a scan finds."""
    rows = [_row("abcdefgh"[index], stamp) for index, stamp in enumerate(stamps)]
    query = parse(text, COLUMNS)
    quick = Query(query.groups, [("sys_updated_on", False), ("sys_id", False)])
    wanted = [(str(row["sys_updated_on"]), str(row["sys_id"])) for row in rows if query.matches(row)]
    assert list(select(_table(rows), quick)) == [key for _, key in sorted(wanted)]


@given(text=queries, stamps=st.lists(st.sampled_from(STAMPS), max_size=8))
def test_the_quick_way_by_key_equals_the_scan(text: str, stamps: list[str]) -> None:
    """In order of key too."""
    rows = [_row("abcdefgh"[index], stamp) for index, stamp in enumerate(stamps)]
    query = parse(text, COLUMNS)
    quick = Query(query.groups, [("sys_id", False)])
    assert list(select(_table(rows), quick)) == [str(row["sys_id"]) for row in rows if query.matches(row)]


@given(text=queries, stamps=st.lists(st.sampled_from(STAMPS), max_size=8), seed=st.text(max_size=3))
def test_shuffled_keys_are_the_same_rows_in_the_order_asked_for(text: str, stamps: list[str], seed: str) -> None:
    """Nothing lost or doubled, stamps ascending, and equal for an equal seed."""
    table = _table([_row("abcdefgh"[index], stamp) for index, stamp in enumerate(stamps)])
    query = Query(parse(text, COLUMNS).groups, [("sys_updated_on", False)])
    found = select(table, query)
    mixed = shuffled(table, query, found, seed)
    assert sorted(mixed) == sorted(found)
    stamps_of = [str((table.get(key) or {})["sys_updated_on"]) for key in mixed]
    assert stamps_of == sorted(stamps_of)
    assert list(mixed) == list(shuffled(table, query, found, seed))
