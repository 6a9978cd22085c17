"""Slices: a span of time is covered without a gap, in order, at once or one by one, and resumed where it broke off."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from jobs.contract import Answer, Cursor, GiveUp, Interrupted, Json, Window
from jobs.sources.composed import ApiOptions, ApiSource
from jobs.sources.slices import SlicesOptions, cut
from jobs.sync import Sync, SyncOptions
from jobs.testing import MemoryContext, Request, answer
from tests.jobs.overhttp import generic
from tests.sandbox.calling import Caller
from worker.sandbox.options import SandboxOptions
from worker.sandbox.server import Sandbox

START = datetime(2026, 1, 1, tzinfo=UTC)
SLICES = {"by": "1d", "from": "2026-01-01", "since_param": "from", "until_param": "to"}
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
FORMATS = st.sampled_from(["iso", "servicenow", "epoch", "epoch_ms", "%Y-%m-%d %H:%M", "%Y-%m-%d"])


def options(**changes: Json) -> SlicesOptions:
    """Returns options for slices."""
    return SlicesOptions.model_validate(SLICES | changes)


@given(start=MOMENTS, length=st.timedeltas(timedelta(0), timedelta(days=9)), by=st.integers(1, 72), form=FORMATS)
def test_slices_cover_the_span_without_gap_or_overlap(start: datetime, length: timedelta, by: int, form: str) -> None:
    """Each begins where the one before it ends; what the format cannot tell at the end is left to the next run."""
    if form == "%Y-%m-%d":
        by *= 24
    told = options(by=f"{by}h", format=form)
    ends = list(cut(start, start + length, told))
    assert all(since < until for since, until in ends)
    assert [until for _, until in ends[:-1]] == [since for since, _ in ends[1:]]
    if ends:
        assert (ends[0][0], ends[-1][1]) == (told.floor(start), told.floor(start + length))
    else:
        assert told.floor(start) == told.floor(start + length)
    assert told.floor(start) <= start < told.floor(start) + timedelta(days=1)


def logged(rows: list[dict[str, Any]]) -> Any:  # noqa: ANN401 - a script
    """Returns a script that answers with the rows from `from` to before `to`."""

    def script(request: Request) -> Answer:
        since, until = request.params["from"], request.params["to"]
        return answer([row for row in rows if since <= row["at"] < until])

    return script


def hourly(count: int) -> list[dict[str, Any]]:
    """Returns rows of consecutive hours."""
    return [{"id": number, "at": f"{START + timedelta(hours=number):%Y-%m-%dT%H:%M:%SZ}"} for number in range(count)]


def job(parallel: int = 1, **changes: Json) -> Sync:
    """Returns a job that reads slices into the table t."""
    source = {"account": "api", "path": "/log", "slices": SLICES | {"parallel": parallel} | changes}
    return Sync(SyncOptions.model_validate({"source": source, "destination": {"table": "t", "key": "id"}}))


@given(breaks=st.lists(st.integers(0, 6), max_size=4), hours=st.integers(0, 100), parallel=st.integers(1, 4))
def test_a_backfill_is_resumed_slice_by_slice(breaks: list[int], hours: int, parallel: int) -> None:
    """However often it breaks off: every row arrives once, and no stored slice is asked for again."""
    until = START + timedelta(hours=hours)
    with MemoryContext(answers=logged(hourly(hours)), window=Window(None, until)) as context:
        for checks in breaks:
            context.checks, context.interrupt_after = 0, checks
            before = context.cursor().value
            try:
                job(parallel).run(context)
            except Interrupted:
                context.attempt += 1
            assert before is None or context.cursor().value >= before
        context.interrupt_after = None
        requested = len(context.requests)
        reached = datetime.fromisoformat(context.cursor().value or START.isoformat())
        job(parallel).run(context)
        assert len(context.requests) - requested == -(-(until - reached) // timedelta(days=1))
        assert context.counts.written == hours
        if hours:
            assert [row["id"] for row in context.rows("t", "id")] == list(range(hours))
            assert datetime.fromisoformat(context.cursor().value) == until


def test_both_bounds_and_the_look_back_are_sent() -> None:
    """The next run starts before the cursor, and the cursor does not move back meanwhile."""
    with MemoryContext(answers=logged(hourly(60)), window=Window(None, START + timedelta(hours=48))) as context:
        context.cursors[""] = Cursor("2026-01-02T12:00:00Z", 1)
        job(by="12h", lookback="18h").run(context)
        assert [(one.params["from"][5:13], one.params["to"][5:13]) for one in context.requests] == [
            ("01-01T18", "01-02T06"),
            ("01-02T06", "01-02T18"),
            ("01-02T18", "01-03T00"),
        ]
        assert context.cursors[""] == Cursor("2026-01-03T00:00:00Z", 3)


def test_a_cursor_stays_before_a_slice_in_which_records_slipped_past() -> None:
    """The slices behind it do not carry the cursor past what was missed."""

    def script(request: Request) -> Answer:
        if not request.params["from"].startswith("2026-01-02"):
            return answer({"items": [], "total": 0})
        if request.params["offset"] == "0":
            return answer({"items": [{"id": 0}, {"id": 1}], "total": 4})
        return answer({"items": [{"id": 3}], "total": 3})

    source = {"account": "api", "path": "/log", "records": "items", "slices": SLICES}
    paging = {"kind": "offset", "size": 2, "total": "total"}
    given = {"source": source | {"paging": paging}, "destination": {"table": "t", "key": "id"}}
    with MemoryContext(answers=script, window=Window(None, START + timedelta(days=4))) as context:
        Sync(SyncOptions.model_validate(given)).run(context)
        assert context.cursor().value == "2026-01-02T00:00:00Z"
        assert [row["id"] for row in context.rows("t", "id")] == [0, 1, 3]


def test_nothing_new_asks_for_nothing() -> None:
    """A run whose window ends within the format's last step leaves the cursor where it is."""
    with MemoryContext(window=Window(None, START + timedelta(hours=5))) as context:
        context.cursors[""] = Cursor("2026-01-01T00:00:00Z", 1)
        job(format="%Y-%m-%d").run(context)
        assert (context.requests, context.cursors[""].version) == ([], 1)


def test_bounds_may_stand_in_the_path() -> None:
    """Places take what the parameters would."""
    told = {"account": "api", "path": "/log/{slice.since}/{slice.until}"}
    slices = {"by": "1d", "from": "2026-01-01", "format": "%Y-%m-%d"}
    with MemoryContext(answers=[[]], window=Window(None, START + timedelta(days=1))) as context:
        list(ApiSource(ApiOptions.model_validate(told | {"slices": slices})).pages(context))
        assert [one.path for one in context.requests] == ["/log/2026-01-01/2026-01-02"]


def test_a_cursor_that_is_no_time_is_told() -> None:
    """The remedy is to set or reset it."""
    with MemoryContext(cursors={"": Cursor("soon", 1)}) as context, pytest.raises(GiveUp, match="a time in ISO 8601"):
        job().run(context)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"slices": SLICES | {"by": "1h", "format": "%Y-%m-%d"}}, "finer than"),
        ({"slices": SLICES | {"until_param": ""}}, "slices.until_param is missing"),
        ({"slices": SLICES | {"from": "soon"}}, "Invalid isoformat"),
        ({"slices": SLICES, "cursor": {"field": "at", "param": "since"}}, "a cursor of its own"),
        ({"path": "/log/{slice.since}"}, "slices, which is missing"),
        ({"path": "/log/{slice.sinse}", "slices": SLICES}, "is not known"),
    ],
)
def test_slices_that_make_no_sense_are_refused(changes: dict[str, Any], words: str) -> None:
    """What would go wrong in a run is told when it is configured."""
    with pytest.raises(ValidationError, match=words):
        ApiOptions.model_validate({"account": "api", "path": "/log"} | changes)


@pytest.fixture
def caller() -> Iterator[Caller]:
    """A caller of a sandbox whose spans may be ten days long at most."""
    with Sandbox(SandboxOptions(rows=300)) as sandbox:
        calling = Caller(sandbox)
        with calling.session:
            yield calling


@pytest.mark.parametrize("parallel", [1, 3])
def test_an_api_that_bears_short_spans_only_is_read_whole(caller: Caller, parallel: int) -> None:
    """Slices of eight days bring what one span of two years is refused for."""
    caller.sandbox.trap(slice_days=10)
    rows = caller.sandbox.rows("items")
    source = {
        "account": "api",
        "path": "/slices",
        "records": "items",
        "paging": {"kind": "page", "size": 20, "size_param": "per_page", "total_pages": "pages"},
        "slices": SLICES | {"by": "8d", "from": "2025-01-01", "parallel": parallel},
    }
    told = {"source": source, "destination": {"table": "t", "key": "id"}}
    with MemoryContext(answers=generic(caller), window=Window(None, datetime(2026, 2, 1, tzinfo=UTC))) as context:
        Sync(SyncOptions.model_validate(told)).run(context)
        assert {str(row["id"]) for row in context.rows("t")} == {str(row["id"]) for row in rows}
        assert context.counts.written == len(rows)
        assert context.cursors[""].value == "2026-02-01T00:00:00Z"
