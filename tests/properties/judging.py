"""What has to hold of a destination: after each attempt, and once a run was left alone."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from jobs.contract import BadAnswer, FailedAnswer, Json, RetryLater, Unanswered
from jobs.sinks import state
from tests.properties.farend import START
from tests.properties.world import JOB, Row, World
from worker.model.errors import AttemptLost, StoreUnreachable
from worker.model.records import AttemptState
from worker.store import attempts, cursors

_TO_BE_EXPECTED = (FailedAnswer, Unanswered, BadAnswer, StoreUnreachable, AttemptLost, RetryLater)


def cursor(world: World) -> Json:
    """Returns the cursor from which the next run would start."""
    with world.own.read() as connection:
        found = cursors.get(connection, JOB)
    if world.plan.away:
        with world.other.read() as connection:
            there = state.cursor(connection, JOB, "")[0] if state.exists(connection, state.CURSORS) else found
        found = max(found, there, key=lambda one: one.version)
    return found.value


def visible(world: World) -> dict[str, int]:
    """Returns the revision of each record that the account may see."""
    habits, records = world.plan.habits, world.shop.records
    return {key: row["rev"] for key, row in records.items() if not habits.hides(row)}


def assert_sound(world: World) -> None:
    """What holds at any time: nothing doubled, and the cursor is not beyond what is stored."""
    strange = [error for error in world.errors if not isinstance(error, _TO_BE_EXPECTED)]
    assert not strange, strange
    rows = world.stored()
    assert not rejects(world)
    assert_nothing_is_doubled(world, rows)
    assert_covered(world, rows)
    assert_counted(world)
    assert world.fenced, "an attempt that had lost its right to write stored something"
    if world.was_calm:
        assert_equal(world)


def rejects(world: World) -> Sequence[Any]:
    """Returns what was refused, which no record deserves."""
    with world.own.read() as connection:
        return connection.execute(sa.text("SELECT reason, record FROM rejects")).all()


def assert_nothing_is_doubled(world: World, rows: list[Row]) -> None:
    """A key stands once; with mode append, where each run adds all it reads, each state of a record does."""
    if world.plan.mode != "append":
        keys = [row["id"] for row in rows]
        assert len(keys) == len(set(keys)), keys
    elif world.plan.cursor and world.attempt == 0:  # an attempt that is to come takes away what one before left
        states = sorted((row["id"], row["rev"]) for row in rows)
        assert len(states) == len(set(states)), states


def assert_covered(world: World, rows: list[Row]) -> None:
    """What the next run would not read is stored in its latest state."""
    reached = cursor(world)
    if reached is None:
        return
    have = {(row["id"], row["rev"]) for row in rows}
    missing = [
        (key, rev) for key, rev in visible(world).items() if (key, rev) not in have and _is_behind(world, key, reached)
    ]
    assert not missing, f"the cursor is at {reached}, and these are not stored: {missing}"


def _is_behind(world: World, key: str, reached: str) -> bool:
    if world.plan.cursor == "opaque":
        return bool(world.shop.records[key]["number"] <= int(reached))
    at = (datetime.fromisoformat(reached) - START).total_seconds() - world.plan.late
    return world.shop.stamps[key] < at


def assert_counted(world: World) -> None:
    """The ledger says what the attempt saw itself do, and every record that it read became something."""
    context, outcome = world.ended[-1]
    with world.own.read() as connection:
        kept = attempts.get(connection, context.run_id, context.attempt)
    assert kept is not None
    assert kept.state is outcome
    found = kept.counts
    if world.plan.mode != "replace":
        assert found.read == found.written + found.unchanged + found.rejected, found
    if outcome is AttemptState.SUCCEEDED:
        assert found == context.counts


def assert_equal(world: World) -> None:
    """What holds after a run that was left alone: the destination is as the source."""
    rows, wanted = world.stored(), visible(world)
    last = world.ended[-1][0].run_id
    mode = world.plan.mode
    if mode == "append":
        mine = rows if world.plan.cursor else [row for row in rows if row["_run_id"] == last]
        have = sorted((row["id"], row["rev"]) for row in mine)
        assert len(have) == len(set(have)), have
        assert set(wanted.items()) <= set(have) if world.plan.cursor else have == sorted(wanted.items())
        return
    have_all = {row["id"]: row["rev"] for row in rows}
    live = {row["id"]: row["rev"] for row in rows if row.get("_deleted_at") is None}
    if mode == "upsert":
        assert {key: have_all.get(key) for key in wanted} == wanted
        assert all(rev <= world.shop.revisions[key] for key, rev in have_all.items())
    else:
        assert live == wanted
    if mode == "replace" or (world.plan.gone == "delete" and mode == "mirror"):
        assert len(rows) == len(wanted)
    hidden = [row["id"] for row in rows if world.plan.habits.hides(row)]
    assert not hidden
    assert_left_nothing(world)


def assert_left_nothing(world: World) -> None:
    """Tables that were made aside are gone."""
    with world.home.read() as connection:
        assert not {"t__new", "t__seen"}.intersection(sa.inspect(connection).get_table_names())


def assert_idle(world: World) -> None:
    """A run over an unchanged source changes no row."""
    if world.plan.mode == "replace" or (world.plan.mode == "append" and not world.plan.cursor):
        return
    before = _versions(world)
    assert world.make_attempt() is AttemptState.SUCCEEDED
    counts = world.ended[-1][0].counts
    assert (counts.written, counts.deleted) == (0, 0), counts
    assert _versions(world) == before


def _versions(world: World) -> dict[tuple[str, int], int]:
    return {(row["id"], row["rev"]): row["_version"] for row in world.stored()}
