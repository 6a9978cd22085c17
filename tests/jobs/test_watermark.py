"""The cursor: what is asked for, what may come back, how far it moves."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from jobs.contract import BadAnswer, Cursor, GiveUp, Json, Window
from jobs.flow import Page
from jobs.sources.cursor import CursorOptions, Watermark, read_time, write_time
from jobs.sources.rest import RestOptions, RestSource
from jobs.testing import MemoryContext, Request
from tests.jobs.servers import Offsets

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
TIMES = st.integers(-43_200_000_000, 43_200_000_000).map(lambda offset: NOON + timedelta(microseconds=offset))


def text(at: datetime) -> str:
    """Returns a time as a server writes it."""
    return at.isoformat().replace("+00:00", "Z")


def source(**cursor: Json) -> RestSource:
    """Returns a source with this cursor."""
    options = {
        "account": "api",
        "path": "/items",
        "records": "items",
        "params": {"since": "never"},
        "paging": {"kind": "offset", "size": 2, "total": "_meta.totalCount"},
        "cursor": {"field": "at", "param": "since"} | cursor,
    }
    return RestSource(RestOptions.model_validate(options))


def read(rows: list[Any], since: datetime | None = None, until: datetime = NOON, **cursor: Json) -> Json:
    """Returns the pages read from these rows, and the context they were read in."""
    cursors = {"": Cursor(text(since), 1)} if since else {}
    with MemoryContext(answers=Offsets(rows), cursors=cursors, window=Window(since, until)) as context:
        pages: list[Page] = list(source(**cursor).pages(context))
        return pages, context


@given(st.lists(TIMES, min_size=1, max_size=9), st.one_of(st.none(), TIMES), TIMES)
def test_the_cursor_moves_forward_within_the_window(
    times: list[datetime], since: datetime | None, until: datetime
) -> None:
    """It is the greatest time seen that is not after the window, and never goes backward."""
    since = min(since, until) if since else None
    kept = [at for at in times if since is None or at >= since]
    pages, _ = read([{"id": place, "at": text(at)} for place, at in enumerate(kept)], since, until)
    within = [at for at in kept if at <= until and (since is None or at > since)]
    assert [page.cursor for page in pages[:-1]] == [None] * (len(pages) - 1)
    assert pages[-1].cursor == (text(max(within)) if within else None)


@given(st.lists(TIMES, min_size=1, max_size=9), TIMES)
def test_a_sorted_source_moves_it_with_each_page(times: list[datetime], until: datetime) -> None:
    """Where the server sorts, each page carries the cursor as far as it has got."""
    rows = [{"id": place, "at": text(at)} for place, at in enumerate(sorted(times))]
    pages, _ = read(rows, None, until, sorted=True)
    for place, page in enumerate(pages):
        within = [at for at in sorted(times)[: 2 * place + 2] if at <= until]
        assert page.cursor == (text(max(within)) if within else None)


def test_the_first_run_asks_for_everything() -> None:
    """Without a cursor the parameter is the configured one, or is not sent at all."""
    _, context = read([{"at": text(NOON)}])
    assert context.requests[0].params["since"] == "never"


def test_later_runs_ask_from_the_cursor_less_the_lookback() -> None:
    """The range is closed, starts a look-back earlier, and has no end."""
    rows = [{"at": text(NOON)}]
    _, context = read(rows, NOON, lookback="5m")
    assert context.requests[0].params == {"since": "2026-06-01T11:55:00Z", "offset": "0", "limit": "2"}


def test_the_initial_value_knows_no_lookback() -> None:
    """What a person set as the start is sent as it is."""
    _, context = read([{"at": text(NOON)}], None, initial="2026-01-01T00:00:00Z", lookback="5m")
    assert context.requests[0].params["since"] == "2026-01-01T00:00:00Z"


def test_parameters_may_take_days_only() -> None:
    """Records of the same day before the cursor come too, and are no sign of a dropped filter; older ones are."""
    midnight = NOON.replace(hour=0)
    _, context = read([{"at": text(midnight)}], NOON, param_format="%Y-%m-%d")
    assert context.requests[0].params["since"] == "2026-06-01"
    with pytest.raises(BadAnswer, match="left the filter out"):
        read([{"at": text(midnight - timedelta(seconds=2))}], NOON, param_format="%Y-%m-%d")


def test_the_cursor_may_stand_inside_a_query() -> None:
    """A template puts the time where an API's query language wants it."""
    template = "sys_updated_on>={cursor}^ORDERBYsys_updated_on"
    _, context = read([{"at": text(NOON)}], NOON, template=template, format="servicenow")
    assert context.requests[0].params["since"] == ("sys_updated_on>=2026-06-01 12:00:00^ORDERBYsys_updated_on")


def test_a_filter_that_the_server_dropped_is_noticed() -> None:
    """Rows older than what was asked for mean that the API ignored the parameter."""
    with pytest.raises(BadAnswer, match=r"left the filter out.*cursor\.param \(since\)"):
        read([{"at": text(NOON - timedelta(seconds=2))}], NOON)


def test_second_resolution_is_within_the_tolerance() -> None:
    """A server that cuts to seconds may answer with a time just below the cursor."""
    pages, _ = read([{"at": text(NOON)}], NOON + timedelta(milliseconds=700), NOON + timedelta(hours=1))
    assert pages[0].cursor is None


def test_a_source_that_is_not_sorted_as_said_is_noticed() -> None:
    """Moving the cursor with each page would lose records, so that disorder is an error, also over pages."""
    ups = [{"at": text(NOON - timedelta(minutes=minutes))} for minutes in (9, 8, 8.5)]
    with pytest.raises(BadAnswer, match=r"not in the order of at.*cursor\.sorted = false"):
        read(ups, sorted=True)


def test_records_without_a_time_are_kept() -> None:
    """A missing, null or empty field neither rejects a record nor moves the cursor."""
    rows = [{"id": 1}, {"id": 2, "at": None}, {"id": 3, "at": ""}, {"id": 4, "at": text(NOON)}]
    pages, _ = read(rows)
    assert [record["id"] for page in pages for record in page.records] == [1, 2, 3, 4]
    assert pages[-1].cursor == text(NOON)


@pytest.mark.parametrize("field", ["att", "at.when", "in.att"])
def test_a_field_that_no_record_has_is_noticed(field: str) -> None:
    """The cursor would stay where it is, and each run read everything."""
    rows = [{"id": place, "at": text(NOON), "in": {"at": text(NOON)}} for place in range(3)]
    with pytest.raises(BadAnswer, match=rf"with the field {field}, .* one has at, id, in\. Check cursor.field"):
        read(rows, field=field)


@pytest.mark.parametrize("rows", [[], [{"id": 1, "at": None}], [{"id": 1}, {"id": 2}, {"id": 3, "at": ""}]])
def test_a_field_that_is_empty_is_none_that_is_missing(rows: list[Json]) -> None:
    """Records that never changed have no time yet."""
    assert [page.cursor for page in read(rows)[0]] == [None] * (2 if len(rows) > 2 else 1)


def test_a_time_that_cannot_be_read_rejects_its_record() -> None:
    """Good records beside it go on."""
    rows = [{"at": "yesterday"}, {"at": text(NOON)}]
    pages, _ = read(rows)
    assert pages[0].records == [rows[1]]
    assert pages[0].rejects == [(rows[0], "at is 'yesterday'; expected a time of the format iso")]


def test_a_dotted_field_is_read_inside_the_record() -> None:
    """A record may keep its time deeper."""
    pages, _ = read([{"meta": {"at": text(NOON)}}], field="meta.at")
    assert pages[0].cursor == text(NOON)


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        ("2026-06-01T14:00:00+02:00", "iso", NOON),
        ("2026-06-01T12:00:00", "iso", NOON),
        ("2026-06-01 12:00:00", "servicenow", NOON),
        (NOON.timestamp(), "epoch", NOON),
        (str(int(NOON.timestamp())), "epoch", NOON),
        (int(NOON.timestamp() * 1000) + 5, "epoch_ms", NOON + timedelta(milliseconds=5)),
        (None, "iso", None),
        ("", "epoch", None),
    ],
)
def test_times_are_read_in_each_format(value: Json, kind: Json, expected: datetime | None) -> None:
    """With and without a zone mark, as text and as numbers."""
    assert read_time(value, kind) == expected


@given(TIMES, st.sampled_from(["iso", "servicenow", "epoch", "epoch_ms"]))
def test_what_is_sent_is_never_later_than_meant(at: datetime, kind: Json) -> None:
    """Formats that cut a time cut it down, so that nothing is left out."""
    back = read_time(write_time(at, kind), kind)
    assert back is not None
    assert at - timedelta(seconds=1) < back <= at


def test_a_year_is_sent_with_four_digits() -> None:
    """A server reads no others."""
    at = datetime(800, 7, 1, tzinfo=UTC)
    assert [write_time(at, kind) for kind in ("iso", "servicenow")] == ["0800-07-01T00:00:00Z", "0800-07-01 00:00:00"]


def test_a_stored_cursor_that_is_no_time_is_told() -> None:
    """A cursor set by hand to nonsense ends the run at once, with its value."""
    with (
        MemoryContext(answers=[], cursors={"": Cursor("soon", 3)}) as context,
        pytest.raises(GiveUp, match="cursor of job is 'soon'"),
    ):
        list(source().pages(context))


@pytest.mark.parametrize("bad", [{"template": "no place"}, {"initial": "soon"}, {"format": "stardate"}, {"field": ""}])
def test_bad_cursors_are_refused_when_configured(bad: dict[str, str]) -> None:
    """What cannot work is refused before it runs."""
    with pytest.raises(ValidationError):
        CursorOptions.model_validate({"field": "at", "param": "since"} | bad)


def test_a_watermark_that_saw_nothing_stays() -> None:
    """An empty answer leaves the cursor where it is."""
    mark = Watermark(CursorOptions(field="at", param="since"), NOON, NOON)
    assert mark.take([], "here") == ([], [])
    assert mark.value() is None


def test_links_carry_the_filter_by_themselves() -> None:
    """The cursor's parameter goes with the first request; a link holds it already."""
    seen: list[Request] = []

    def script(request: Request) -> Json:
        seen.append(request)
        last = len(seen) == 2
        return {"items": [{"at": text(NOON), "id": len(seen)}], "next": None if last else "https://api.test/p2"}

    options = {
        "account": "api",
        "path": "/items",
        "records": "items",
        "paging": {"kind": "next_url", "next": "next"},
        "cursor": {"field": "at", "param": "since", "initial": text(NOON)},
    }
    with MemoryContext(answers=script) as context:
        list(RestSource(RestOptions.model_validate(options)).pages(context))
    assert [request.params for request in seen] == [{"since": text(NOON)}, {}]
