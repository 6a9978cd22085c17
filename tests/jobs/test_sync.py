"""The job type sync: pages, rejects, counts and cursor, from end to end."""

from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from jobs.contract import Answer, Counts, Cursor, Interrupted, Json, RejectLimit, TooManyRejects, Window
from jobs.sync import Sync, SyncOptions
from jobs.testing import MemoryContext, Request
from tests.jobs.servers import Offsets, records

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def job(size: int = 10, cursor: dict[str, Any] | None = None, **options: Json) -> Sync:
    """Returns a job that reads items into the table t."""
    paging = {"kind": "offset", "size": size, "total": "_meta.totalCount"}
    source = {"account": "api", "path": "/items", "records": "items", "paging": paging}
    given = {"source": source | ({"cursor": cursor} if cursor else {}), "destination": {"table": "t", "key": "id"}}
    return Sync(SyncOptions.model_validate(given | options))


def stamped(count: int) -> list[dict[str, Any]]:
    """Returns records with a time of change, one a minute, in no order."""
    times = [f"2026-06-01T11:{number:02d}:00Z" for number in range(count)]
    return [{"id": number, "at": times[number * 7 % count]} for number in range(count)]


SINCE = {"field": "at", "param": "since"}


def test_every_record_arrives(context: MemoryContext) -> None:
    """Rows, counts and progress agree; a second run finds nothing to change."""
    context.answers = Offsets(records(25))
    job().run(context)
    assert context.rows("t") == records(25)
    assert context.counts == Counts(read=25, written=25, pages=3, expected=25)
    context.counts = Counts()
    job().run(context)
    assert context.counts == Counts(read=25, unchanged=25, pages=3, expected=25)


def test_a_map_names_the_columns() -> None:
    """Only what the map names is stored, under its names."""
    rows: list[dict[str, Any]] = [{"id": 1, "who": {"mail": "a@x"}, "junk": 1}, {"id": 2}]
    with MemoryContext(answers=Offsets(rows)) as context:
        job(map={"id": "id", "mail": "who.mail"}).run(context)
        assert context.rows("t") == [{"id": 1, "mail": "a@x"}, {"id": 2, "mail": None}]


def test_rejects_are_kept_with_their_reasons() -> None:
    """What is no record, cannot be mapped or has no key: counted once each, the rest is stored."""
    rows: list[Any] = [{"id": 1, "tags": []}, 5, {"id": 2, "tags": 7}, {"tags": []}]
    with MemoryContext(answers=Offsets(rows), max_rejects=RejectLimit(count=3)) as context:
        job(map={"id": "id", "n": "length(tags)"}).run(context)
        assert context.counts == Counts(read=4, written=1, rejected=3, pages=1, expected=4)
        assert [record for record, _ in context.rejects] == [5, {"id": 2, "tags": 7}, {"tags": []}]


def test_the_cursor_moves_with_the_last_page() -> None:
    """Until all pages of an unsorted source are stored, another attempt has to read from the start."""
    with MemoryContext(answers=Offsets(stamped(25)), window=Window(None, NOON), interrupt_after=2) as context:
        with pytest.raises(Interrupted):
            job(cursor=SINCE).run(context)
        assert (len(context.rows("t")), context.cursors) == (20, {})
        context.interrupt_after = None
        job(cursor=SINCE).run(context)
        assert context.cursors == {"": Cursor("2026-06-01T11:24:00Z", 1)}


def test_the_cursor_of_a_sorted_source_moves_with_each_page() -> None:
    """What is stored need not be read again."""
    rows = sorted(stamped(25), key=lambda row: str(row["at"]))
    with MemoryContext(answers=Offsets(rows), window=Window(None, NOON), interrupt_after=2) as context:
        with pytest.raises(Interrupted):
            job(cursor=SINCE | {"sorted": True}).run(context)
        assert context.cursors == {"": Cursor("2026-06-01T11:19:00Z", 2)}


def test_nothing_new_opens_no_transaction() -> None:
    """An empty answer costs the database nothing."""
    with MemoryContext(answers=Offsets([]), cursors={"": Cursor("2026-06-01T11:00:00Z", 4)}) as context:
        job(cursor=SINCE).run(context)
        assert context.counts == Counts(expected=0)
        assert context.cursors[""].version == 4


@given(st.integers(0, 40), st.integers(1, 12), st.lists(st.integers(0, 5), max_size=4))
def test_interrupted_anywhere_it_ends_complete(count: int, size: int, breaks: list[int]) -> None:
    """However often a run breaks off, in the end each record is there once and the cursor is right."""
    rows = stamped(count) if count else []

    def since(request: Request) -> Answer:
        kept = [row for row in rows if row["at"] >= request.params.get("since", "")]
        return Offsets(kept)(request)

    with MemoryContext(answers=since, window=Window(None, NOON)) as context:
        for checks in breaks:
            context.checks, context.interrupt_after = 0, checks
            try:
                job(size, cursor=SINCE).run(context)
            except Interrupted:
                context.attempt += 1
        context.interrupt_after = None
        job(size, cursor=SINCE).run(context)
        if count:
            assert [row["id"] for row in context.rows("t")] == list(range(count))
            assert context.cursor().value == max(row["at"] for row in rows)
        assert context.counts.written == count


def bad(good: int, wrong: int) -> list[Any]:
    """Returns records of which some lack their key."""
    return [*records(good), *({"name": f"{number}"} for number in range(wrong))]


@pytest.mark.parametrize(
    ("limit", "good", "wrong", "passes"),
    [
        (RejectLimit(count=0), 5, 1, False),
        (RejectLimit(count=1), 5, 1, True),
        (RejectLimit(share=0.2), 8, 2, True),
        (RejectLimit(share=0.2), 7, 3, False),
        (RejectLimit(share=0.0), 10, 0, True),
    ],
)
def test_too_many_rejects_fail_the_run(limit: RejectLimit, good: int, wrong: int, passes: bool) -> None:
    """The good rows and the rejects stay; the cursor does not move, so that the records come again."""
    rows = [row | {"at": "2026-06-01T11:00:00Z"} for row in bad(good, wrong)]
    with MemoryContext(answers=Offsets(rows), max_rejects=limit, window=Window(None, NOON)) as context:
        if passes:
            job(cursor=SINCE).run(context)
        else:
            with pytest.raises(TooManyRejects, match=f"{wrong} of {good + wrong} records were rejected"):
                job(cursor=SINCE).run(context)
        assert (len(context.rows("t")), len(context.rejects)) == (good, wrong)
        assert bool(context.cursors) == passes


def test_a_number_is_judged_at_once_and_a_share_when_it_tells() -> None:
    """A number ends the run at the page that passes it, a share once a thousand records were read."""
    rows = [*bad(0, 20), *records(3000)]
    for limit, pages in ((RejectLimit(count=5), 1), (RejectLimit(share=0.001), 10)):
        with MemoryContext(answers=Offsets(rows), max_rejects=limit) as context:
            with pytest.raises(TooManyRejects):
                job(100, prefetch=0).run(context)
            assert context.counts.pages == pages


def test_a_failed_page_leaves_nothing_of_itself() -> None:
    """Rows, rejects, counts and cursor of a page stand or fall together."""

    class Broken(Exception):
        pass

    def on_commit(connection: sa.Connection) -> None:
        raise Broken

    with MemoryContext(answers=Offsets(stamped(15)), window=Window(None, NOON)) as context:
        with context.unit() as unit:
            unit.connection.exec_driver_sql("CREATE TABLE other (id INTEGER)")
        sa.event.listen(context.engine, "commit", on_commit)
        with pytest.raises(Broken):
            job(cursor=SINCE).run(context)
        sa.event.remove(context.engine, "commit", on_commit)
        assert (context.counts, context.rejects, context.cursors) == (Counts(expected=15), [], {})
        with context.unit() as unit:
            assert sa.inspect(unit.connection).get_table_names() == ["other"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"map": {"id": "id", "_run_id": "x"}}, "the column _run_id is the worker's own"),
        ({"map": {"name": "name"}}, "the column id is missing, which destination.key names"),
        ({"map": {"id": "a["}}, "expected a JMESPath"),
        ({"cursor": SINCE, "destination": {"table": "t", "mode": "append"}}, "would double"),
        ({"sauce": {}}, "sauce"),
    ],
)
def test_options_that_contradict_are_refused(options: dict[str, Any], words: str) -> None:
    """What would go wrong in a run is told when it is configured."""
    with pytest.raises(ValidationError, match=words):
        job(**options)
