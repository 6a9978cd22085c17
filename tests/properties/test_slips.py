"""What leaves a list that is counted takes no other record with it, where the total tells."""

import pytest

from tests.properties.farend import Habits
from tests.properties.judging import assert_equal, assert_sound
from tests.properties.plans import Plan
from tests.properties.test_exactly_once import Pair, files
from tests.properties.world import World, emptied
from worker.model.records import AttemptState

__all__ = ["files"]


@pytest.mark.parametrize("prefetch", [0, 3])
@pytest.mark.parametrize(("kind", "snaps"), [("offset", False), ("offset", True), ("page", False)])
@pytest.mark.parametrize("cursor", ["time", "opaque"])
def test_a_record_that_slips_past_is_read_by_the_next_run(
    files: Pair, kind: str, snaps: bool, cursor: str, prefetch: int
) -> None:
    """One of the first page goes before the second is asked for: the cursor stays, and nothing is lost."""
    habits = Habits(kind, "number" if cursor == "opaque" else "id", 2, total=True, snaps=snaps)
    upsets = ((1, "delete", 0),)
    plan = Plan(habits, cursor, size=2, rows=7, upsets=upsets, prefetch=prefetch)
    with emptied(files[0], files[1]):
        world = World(*files, plan)
        assert world.make_attempt() is AttemptState.SUCCEEDED
        assert_sound(world)
        assert len(world.stored()) < 7
        world.shop.tick(0)
        assert world.make_attempt() is AttemptState.SUCCEEDED
        assert_equal(world)


@pytest.mark.parametrize("prefetch", [0, 3])
@pytest.mark.parametrize("place", [1, 2, 3])
def test_a_record_that_slips_past_is_not_taken_for_gone(files: Pair, place: int, prefetch: int) -> None:
    """A whole pass of a mirror that met it before: nothing is marked in the pass that missed it."""
    plan = Plan(Habits("offset", size=2, total=True), mode="mirror", size=2, rows=6, prefetch=prefetch)
    with emptied(files[0], files[1]):
        world = World(*files, plan)
        assert world.make_attempt() is AttemptState.SUCCEEDED
        world.wait, world.upsets = 0, [(place, "delete", 0)]
        assert world.make_attempt() is AttemptState.SUCCEEDED
        marked = {row["id"] for row in world.stored() if row["_deleted_at"]}
        assert not marked.intersection(world.shop.records)
        assert world.make_attempt() is AttemptState.SUCCEEDED
        assert_equal(world)
