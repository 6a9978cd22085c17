"""The rows: the same for the same seed, changing in a known order, kept sorted."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.sandbox.table import MICROSECONDS, SECONDS, Row, Table
from worker.sandbox.world import MAIN, World

NOW = datetime(2026, 5, 1, 12, 0, 0, 123456, tzinfo=UTC)


def _rows(world: World, resource: str) -> list[Row]:
    table = world.table(resource)
    return table.slice_by_key(0, len(table))


@pytest.mark.parametrize("resource", MAIN)
def test_the_same_seed_makes_the_same_rows(resource: str) -> None:
    """Equal for equal seeds, whatever was asked for before; different for another seed; unique keys."""
    first, second, other = World(1, 50), World(1, 50), World(2, 50)
    second.table("orders")
    second.table("incident")
    assert _rows(first, resource) == _rows(second, resource)
    assert _rows(first, resource) != _rows(other, resource)
    assert len(first.table(resource)) == 50


@pytest.mark.parametrize("resource", MAIN)
def test_every_row_was_changed_in_the_past_and_some_share_a_stamp(resource: str) -> None:
    """Stamps lie in one past year; ties occur, as on real servers."""
    world = World(1, 50)
    stamps = [str(row[world.table(resource).stamp]) for row in _rows(world, resource)]
    assert {stamp[:4] for stamp in stamps} == {"2025"}
    assert len(set(stamps)) < len(stamps)


@pytest.mark.parametrize("resource", MAIN)
def test_churn_is_the_same_for_the_same_steps(resource: str) -> None:
    """Two worlds that took as many steps are equal; rows changed are stamped now, some are new."""
    first, second = World(1, 50, lambda: NOW), World(1, 50, lambda: NOW)
    first.churn(45, resource)
    for _ in range(45):
        second.churn(1, resource)
    assert _rows(first, resource) == _rows(second, resource)
    table = first.table(resource)
    assert len(table) == 54
    changed = [row for row in _rows(first, resource) if row[table.stamp] == table.write_stamp(NOW)]
    assert len(changed) == 45
    assert [key for _, key in table.changed()][-1] in {str(row[table.key]) for row in changed}


def test_churn_without_a_resource_takes_turns() -> None:
    """Steps are spread evenly."""
    assert World(1, 5).churn(len(MAIN) * 3) == dict.fromkeys(MAIN, 3)


def test_churn_passes_deleted_rows_over() -> None:
    """As many changes as rows touch each living row once; with none left a new one comes."""
    world = World(1, 3, lambda: NOW)
    table = world.table("devices")
    table.remove("DEV00000001")
    world.churn(2, "devices")
    assert [row["revision"] for row in _rows(world, "devices")] == [1, 1]
    for key in ("DEV00000000", "DEV00000002"):
        table.remove(key)
    world.churn(1, "devices")
    assert table.keys() == ["DEV00000003"]


def test_churn_fills_an_empty_world() -> None:
    """With no rows at the start the first step makes one."""
    world = World(1, 0)
    world.churn(3, "devices")
    assert len(world.table("devices")) == 1


def test_churn_brings_new_values_and_a_new_field() -> None:
    """Counter, status and, seldom, a field that no row had; ServiceNow-style columns stay as they are."""
    world = World(1, 50)
    columns = {name for row in _rows(world, "incident") for name in row}
    world.churn(30, "devices")
    world.churn(30, "incident")
    devices = _rows(world, "devices")
    assert any(row["revision"] for row in devices)
    assert any(str(row["status"]).startswith("STEP") for row in devices)
    assert any("remark" in row for row in devices)
    assert {name for row in _rows(world, "incident") for name in row} == columns


operations = st.lists(st.tuples(st.sampled_from("abcdef"), st.one_of(st.none(), st.sampled_from("12345"))), max_size=30)


@given(operations)
def test_a_table_stays_sorted(steps: list[tuple[str, str | None]]) -> None:
    """After any puts and removals both orders hold exactly the rows there are, and the version moved."""
    table, wanted = Table("id", "at"), dict[str, str]()
    for key, stamp in steps:
        version = table.version
        if stamp is None:
            assert table.remove(key) is (wanted.pop(key, None) is not None)
        else:
            wanted[key] = stamp
            table.put({"id": key, "at": stamp})
            assert table.version > version
    assert list(table.keys()) == sorted(wanted)
    assert list(table.changed()) == sorted((stamp, key) for key, stamp in wanted.items())
    assert len(table) == len(wanted)


@given(
    at=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - with zone
    gap=st.integers(-2_000_000, 2_000_000),
    form=st.sampled_from([SECONDS, MICROSECONDS]),
)
def test_a_bound_splits_stamps_as_time_does(at: datetime, gap: int, form: str) -> None:
    """A stamp is at or above the bound exactly when the instant it stands for is not before the one asked."""
    table = Table("id", "at", form)
    row = at + timedelta(microseconds=gap)
    shown = row if form == MICROSECONDS else row.replace(microsecond=0)
    assert (table.write_stamp(row) >= table.bound(at)) is (shown >= at)
