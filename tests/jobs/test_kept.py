"""Rejects tried again: what gets through leaves the list, what does not stays with its newest reason."""

from jobs.contract import Cursor, Json, RejectLimit
from jobs.sync import Sync
from jobs.syncoptions import SyncOptions
from jobs.testing import MemoryContext

SOURCE = {"account": "api", "path": "/t", "cursor": {"field": "at", "param": "since"}}


def job(**column: Json) -> Sync:
    """Returns a sync whose column `n` is read so."""
    return Sync(
        SyncOptions.model_validate(
            {"source": SOURCE, "destination": {"table": "t", "key": "id"}, "map": {"id": "id", **column}}
        )
    )


def test_what_gets_through_leaves_the_list() -> None:
    """The source is not asked, the cursor stays, and a record that fails again does not fail the run."""
    records = [{"id": 1, "tags": 5, "at": None}, {"id": 2, "tags": [1]}, {"id": None, "tags": []}]
    with MemoryContext(answers=[records]) as context:
        context.max_rejects = RejectLimit(count=10)
        job(n="length(tags)").run(context)
        assert [record for record, _ in context.rejects] == [records[0], records[2]]
        context.params = {"rejects": True}
        context.cursors[""] = Cursor("2026-01-01T00:00:00Z", 3)

        context.max_rejects = RejectLimit(count=0)
        job(n="to_number(tags)").run(context)

        assert len(context.requests) == 1
        assert [(row["id"], row["n"]) for row in context.rows("t")] == [(1, 5), (2, 1)]
        assert [record for record, _ in context.rejects] == [records[2]]
        assert context.cursors[""].version == 3


def test_a_newer_state_that_gets_through_takes_its_rejects_away() -> None:
    """Else an old state, tried again, would come over the newer one; a newer reject takes the older one's place."""
    pages = [
        [{"id": 1, "tags": 5, "at": None}, {"id": 2, "tags": 6}],
        [{"id": 1, "tags": 7, "at": None}, {"id": 2, "tags": [1]}],
    ]
    with MemoryContext(answers=pages, max_rejects=RejectLimit(count=10)) as context:
        job(n="length(tags)").run(context)
        assert [record for record, _ in context.rejects] == pages[0]

        job(n="length(tags)").run(context)

        assert [record for record, _ in context.rejects] == [{"id": 1, "tags": 7, "at": None}]
        assert [row["id"] for row in context.rows("t")] == [2]
