"""What a preview of a sync or a request shows, and that nothing of it stays or leaves."""

from collections.abc import Mapping

import pytest
import sqlalchemy as sa

from jobs.contract import BadAnswer, Context, Cursor, GiveUp, Job, Json, Shown, ShownColumn
from jobs.options import Options
from jobs.request import Request, RequestOptions
from jobs.sync import Sync, SyncOptions
from jobs.testing import MemoryContext, Reply
from jobs.testing import Request as Asked

PAGES = {"kind": "offset", "size": 2}
SOURCE = {"account": "api", "path": "/t", "paging": PAGES}


def sync(destination: Mapping[str, Json], **options: Json) -> Sync:
    """Returns a sync to this destination."""
    return Sync(SyncOptions.model_validate({"source": SOURCE, "destination": destination} | options))


def endless(request: Asked) -> Reply:
    """Answers every page with two records."""
    first = int(request.params["offset"])
    return [{"id": first + number, "at": "2026-01-01T00:00:00Z", "cost": 1.5} for number in (1, 2)]


def tables(context: MemoryContext) -> list[str]:
    """Returns what tables there are."""
    with context.read() as connection:
        return sa.inspect(connection).get_table_names()


def test_rows_are_shown_as_they_would_be_stored() -> None:
    """Columns with what they hold, new ones marked, values converted; no table is made, no cursor moved."""
    with MemoryContext(answers=endless, dry=True) as context:
        shown = sync({"table": "t", "key": "id"}).preview(context, 2)
        assert shown.target == "the table t"
        assert shown.columns == (
            ShownColumn("id", "integer", is_new=True),
            ShownColumn("at", "timestamp", is_new=True),
            ShownColumn("cost", "float", is_new=True),
        )
        assert shown.rows == (
            {"id": 1, "at": "2026-01-01T00:00:00.000000Z", "cost": 1.5},
            {"id": 2, "at": "2026-01-01T00:00:00.000000Z", "cost": 1.5},
        )
        assert shown.notes == ("the table t would be made", "a run reads on from here")
        assert (tables(context), context.cursors) == ([], {})
        assert (context.counts.read, context.counts.written, context.counts.pages) == (2, 2, 1)


def test_pages_are_read_until_rows_are_there_and_no_further() -> None:
    """None is fetched ahead; the third is the last."""
    with MemoryContext(answers=endless, dry=True) as context:
        assert len(sync({"table": "t", "key": "id"}).preview(context, 3).rows) == 3
        assert len(context.requests) == 2
    with MemoryContext(answers=endless, dry=True) as context:
        assert len(sync({"table": "t", "key": "id"}).preview(context, 100).rows) == 6
        assert len(context.requests) == 3


def test_a_table_that_is_there_tells_new_from_unchanged() -> None:
    """Only what would be added is marked; the table stays as it is."""
    job = sync({"table": "t", "key": "id"}, source=SOURCE | {"paging": {"kind": "none"}})
    with MemoryContext(answers=[[{"id": 1, "a": 1}], [{"id": 1, "a": 1}, {"id": 2, "a": 3, "b": "x"}]]) as context:
        job.run(context)
        context.dry = True
        shown = job.preview(context, 10)
        assert [(column.name, column.is_new) for column in shown.columns] == [("id", False), ("a", False), ("b", True)]
        assert context.rows("t") == [{"id": 1, "a": 1}]
        assert (context.counts.written, context.counts.unchanged) == (1 + 1, 1)  # those of the run before too
        assert shown.notes == ()


@pytest.mark.parametrize(("mode", "words"), [("append", ""), ("replace", "anew"), ("mirror", "is not looked for")])
def test_other_modes_leave_the_table_alone(mode: str, words: str) -> None:
    """Neither a new table beside it nor a mark stays, and what would be special is told."""
    source = SOURCE | {"paging": {"kind": "none"}}
    destination = {"table": "t", "mode": mode} | ({"key": "id"} if mode == "mirror" else {})
    job = sync(destination, source=source)
    with MemoryContext(answers=[[{"id": 1}, {"id": 2}], [{"id": 3}]]) as context:
        job.run(context)
        before = tables(context), context.rows("t")
        context.dry = True
        shown = job.preview(context, 10)
        assert (tables(context), context.rows("t")) == before
        assert shown.rows == ({"id": 3},)
        assert [words in note for note in shown.notes] == ([True] if words else [])


def test_rejects_are_gathered_and_not_shown_as_rows() -> None:
    """Those of the mapping and those of the table."""
    job = sync(
        {"table": "t", "key": "id"}, source=SOURCE | {"paging": {"kind": "none"}}, map={"id": "id", "n": "abs(n)"}
    )
    records = [{"id": 1, "n": -1}, {"id": 2, "n": "x"}, {"id": None, "n": 3}]
    with MemoryContext(answers=[records], dry=True) as context:
        assert job.preview(context, 10).rows == ({"id": 1, "n": 1},)
        assert [record for record, _ in context.rejects] == records[1:]
        assert context.counts.rejected == 2


def test_requests_are_shown_and_not_sent() -> None:
    """Method, URL and body of what changed; what was delivered before is unchanged."""
    job = sync(
        {"account": "crm", "path": "/in/{id}", "key": "id", "params": {"dry": "no"}},
        source=SOURCE | {"paging": {"kind": "none"}},
    )
    with MemoryContext(answers=[[{"id": 1}, {"id": 2}], {}, {}, [{"id": 1}, {"id": 2, "n": 1}]]) as context:
        job.run(context)
        before = dict(context.sent)
        context.dry = True
        shown = job.preview(context, 10)
        (request,) = shown.requests
        assert (request.method, request.url) == ("POST", "https://api.test/in/2?dry=no")
        assert request.body == {"id": 2, "n": 1}
        assert len(context.requests) == 4
        assert context.sent == before
        assert {one.state for one in before.values()} == {"delivered"}
        assert context.counts.unchanged == 1
        assert (shown.target, shown.rows) == ("POST /in/{id} (account crm)", ())


def test_a_preview_of_a_replay_tries_the_rejects() -> None:
    """The source is not asked."""
    job = sync({"table": "t", "key": "id"}, map={"id": "id", "n": "abs(n)"})
    with MemoryContext(dry=True, params={"rejects": True}) as context:
        context.rejects = [({"id": 7, "n": -7}, "before it was mended")]
        assert job.preview(context, 10).rows == ({"id": 7, "n": 7},)
        assert context.requests == []


def test_a_source_is_read_on_from_its_cursor() -> None:
    """And the cursor stays where it is."""
    source = SOURCE | {"paging": {"kind": "none"}, "cursor": {"field": "at", "param": "since"}}
    with MemoryContext(answers=[[{"id": 1, "at": "2026-02-01T00:00:00Z"}]], dry=True) as context:
        context.cursors[""] = Cursor("2026-01-01T00:00:00Z", 1)
        sync({"table": "t", "key": "id"}, source=source).preview(context, 10)
        assert context.requests[0].params == {"since": "2026-01-01T00:00:00Z"}
        assert context.cursors == {"": Cursor("2026-01-01T00:00:00Z", 1)}


def request(**options: Json) -> Request:
    """Returns a job of the type request."""
    return Request(RequestOptions.model_validate({"account": "erp", "path": "/ping"} | options))


def test_a_request_that_only_reads_is_sent_and_judged() -> None:
    """What a run would raise is raised."""
    with MemoryContext(answers=[{"ok": True}, {"ok": False}], dry=True) as context:
        job = request(params={"q": "{job}"}, expect={"that": ["ok"]})
        shown = job.preview(context, 1)
        assert shown.notes == ("it only reads, so it was sent: 200, and what was expected holds",)
        assert shown.requests[0].url == "https://api.test/ping?q=job"
        with pytest.raises(BadAnswer, match="expected it to hold"):
            job.preview(context, 1)


@pytest.mark.parametrize("options", [{"method": "POST"}, {"method": "PUT"}, {"method": "DELETE", "reads": True}])
def test_a_request_that_may_change_something_is_shown_only(options: dict[str, Json]) -> None:
    """Whatever its options call it."""
    with MemoryContext(dry=True, params={"n": 3}) as context:
        shown = request(body={"run": "{params.n}"}, **options).preview(context, 1)
        assert (shown.requests[0].method, shown.requests[0].body) == (options["method"], {"run": 3})
        assert "was not sent" in shown.notes[0]
        assert context.requests == []


class Mute(Job[Options]):
    """A job that tells nothing of itself."""

    options_model = Options

    def run(self, context: Context) -> None:
        """Does nothing."""


class Telling(Mute):
    """A job of one's own that can be previewed."""

    def preview(self, context: Context, rows: int) -> Shown:
        """Tells that it may not write."""
        return Shown(notes=(f"dry: {context.dry}, rows: {rows}",))


def test_jobs_of_ones_own_say_themselves_what_they_would_do() -> None:
    """Or that they cannot."""
    with MemoryContext(dry=True) as context:
        assert Telling(Options()).preview(context, 3).notes == ("dry: True, rows: 3",)
        with pytest.raises(GiveUp, match="its type Mute does not tell how"):
            Mute(Options()).preview(context, 3)
