"""Walks through ServiceNow's tables lose no row, whatever is hidden, tied, changed or deleted meanwhile."""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from jobs.contract import BadAnswer, Cursor, Interrupted, Json, Window
from jobs.flow import Page
from jobs.sources.rest import RestOptions, RestSource
from jobs.testing import MemoryContext, Request, answer
from tests.jobs.servers import TableApi

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
PLAIN = "%Y-%m-%d %H:%M:%S"


def source(size: int = 3, cursor: bool = True, params: dict[str, str] | None = None, **paging: Json) -> RestSource:
    """Returns a source over a table."""
    options: dict[str, Any] = {
        "account": "now",
        "path": "/api/now/table/t",
        "records": "result",
        "params": params or {},
        "paging": {"kind": "servicenow", "size": size} | paging,
    }
    if cursor:
        options["cursor"] = {"field": "sys_updated_on", "format": "servicenow"}
    return RestSource(RestOptions.model_validate(options))


def row(number: int, seconds: int, **more: Json) -> dict[str, Any]:
    """Returns a row that changed so many seconds before noon."""
    stamp = (NOON - timedelta(seconds=seconds)).strftime(PLAIN)
    return {"sys_id": f"{number:032x}", "sys_updated_on": stamp, "sys_created_on": stamp, "n": number} | more


def table(*rows: dict[str, Any]) -> TableApi:
    """Returns the far end with these rows."""
    return TableApi({one["sys_id"]: one for one in rows})


def read(far: TableApi, since: datetime | None = None, **options: Json) -> tuple[list[Page], MemoryContext]:
    """Returns what a run at noon reads, and its context."""
    cursors = {"": Cursor(since.isoformat(), 1)} if since else {}
    with MemoryContext(answers=far, window=Window(None, NOON), cursors=cursors) as context:
        return list(source(**options).pages(context)), context


def numbers(pages: list[Page]) -> list[int]:
    """Returns which rows were read, in the order of reading."""
    return [record["n"] for page in pages for record in page.records]


ROWS = st.lists(
    st.tuples(st.integers(0, 4), st.booleans(), st.sampled_from([False, False, True])), min_size=0, max_size=14
)
EDITS = st.lists(st.tuples(st.integers(0, 12), st.sampled_from(["touch", "delete", "insert"]), st.integers(0, 13)))


@dataclass
class Changing:
    """A table that is changed before some of the requests; what it did is noted."""

    far: TableApi
    edits: list[tuple[int, str, int]]
    changed: set[str] = field(default_factory=set)
    turn: int = 0  # hours after noon

    def __post_init__(self) -> None:
        self.far.before = self.act

    def act(self, request: int) -> None:
        """Does what is due before this request."""
        for place, (at, what, number) in enumerate(self.edits):
            key, age = f"{number:032x}", -60 - 3600 * self.turn - request
            if at != request:
                continue
            if what == "insert":
                new = row(100 + place, age)
                self.far.rows[new["sys_id"]] = new
                self.changed.add(new["sys_id"])
            elif key in self.far.rows:
                self.changed.add(key)
                if what == "delete":
                    del self.far.rows[key]
                else:
                    self.far.rows[key] = row(number, age, hidden=self.far.rows[key].get("hidden"))


def made(rows: list[tuple[int, bool, bool]]) -> TableApi:
    """Returns a table with ties in its stamps, hidden rows, and rows that come blank."""
    return table(*(row(n, at, hidden=hidden, blank=blank) for n, (at, hidden, blank) in enumerate(rows)))


def readable(far: TableApi) -> dict[str, dict[str, Any]]:
    """Returns the rows that may be seen, by key."""
    return {key: one for key, one in far.rows.items() if not one.get("hidden") and not one.get("blank")}


@given(ROWS, EDITS, st.integers(1, 5), st.booleans())
def test_each_readable_row_is_read_once(
    rows: list[tuple[int, bool, bool]], edits: list[tuple[int, str, int]], size: int, cursor: bool
) -> None:
    """What was there at the start and did not change is read exactly once, by the time of change and by key alone."""
    changing = Changing(made(rows), edits)
    before = readable(changing.far)
    pages, _ = read(changing.far, size=size, cursor=cursor)
    found = numbers(pages)
    expected = sorted(one["n"] for key, one in before.items() if key not in changing.changed)
    assert sorted(n for n in found if f"{n:032x}" not in changing.changed) == expected


@given(ROWS, EDITS, st.integers(1, 5))
def test_the_cursor_never_passes_a_row_that_was_not_read(
    rows: list[tuple[int, bool, bool]], edits: list[tuple[int, str, int]], size: int
) -> None:
    """Whenever a page moves the cursor, all readable rows before it were read."""
    changing = Changing(made(rows), edits)
    before = readable(changing.far)
    pages, _ = read(changing.far, size=size)
    found = set[int]()
    for page in pages:
        found |= set(numbers([page]))
        if page.cursor is not None:
            passed = (datetime.fromisoformat(page.cursor)).strftime(PLAIN)
            due = {one["n"] for key, one in before.items() if one["sys_updated_on"] < passed}
            assert {n for n in due if f"{n:032x}" not in changing.changed} <= found


@given(ROWS, EDITS, st.integers(1, 4), st.lists(st.integers(0, 6), max_size=3))
def test_after_the_last_run_the_latest_state_was_seen(
    rows: list[tuple[int, bool, bool]], edits: list[tuple[int, str, int]], size: int, breaks: list[int]
) -> None:
    """However often runs break off, and whatever changes meanwhile, a last run in peace has seen all there is."""
    far = made(rows)
    changing = Changing(far, edits)
    seen = dict[str, Json]()
    with MemoryContext(answers=far) as context:
        for changing.turn, checks in enumerate([*breaks, None]):
            context.window = Window(None, NOON + timedelta(hours=changing.turn))
            context.checks, context.interrupt_after = 0, checks
            if checks is None:
                far.before = lambda _: None
            with suppress(Interrupted):
                for page in source(size).pages(context):
                    seen |= {record["sys_id"]: record for record in page.records}
                    if page.cursor is not None:
                        context.cursors = {"": Cursor(page.cursor, 1)}
    for key, one in readable(far).items():
        assert seen[key]["sys_updated_on"] == one["sys_updated_on"]


def test_a_quiet_run_takes_one_request() -> None:
    """The first page is counted: where all that is counted came, nothing more is asked."""
    far = table(row(1, 9), row(2, 5))
    assert numbers(read(far, size=10)[0]) == [1, 2]
    assert len(far.asked) == 1
    assert numbers(read(table(), NOON)[0]) == []


def test_hidden_rows_at_the_end_take_one_request_more() -> None:
    """Behind a page that was not full the count tells the end."""
    far = table(row(1, 9), row(2, 5, hidden=True), row(3, 4, hidden=True))
    assert numbers(read(far, size=10)[0]) == [1]
    assert ["sysparm_no_count" in params for params in far.asked] == [False, False]


def test_full_pages_are_not_counted() -> None:
    """Only the first page of a long walk costs the server a count, and the last ones."""
    far = table(*(row(number, 100 - number) for number in range(10)))
    pages, context = read(far, size=3)
    assert numbers(pages) == list(range(10))
    assert [params.get("sysparm_no_count") for params in far.asked] == [None, "true", "true", "true", None]
    assert [page.total for page in pages] == [10, None, None, None, None]
    assert not context.said


def test_the_query_is_the_one_that_is_known_to_work() -> None:
    """Keyset on (time, key) between two bounds; one's own conditions stand in each group."""
    far = table(row(1, 9), row(2, 9), row(3, 9, state="1"))
    far.rows = {key: {"state": "1", "kind": "x"} | one for key, one in far.rows.items()}
    read(far, NOON - timedelta(hours=1), size=2, filter="state=1^NQkind=x^EQ")
    bounds = "sys_updated_on>=2026-06-01 11:00:00^sys_updated_on<=2026-06-01 12:00:00"
    later = f"{bounds}^sys_updated_on>2026-06-01 11:59:51"
    tied = f"{bounds}^sys_updated_on=2026-06-01 11:59:51^sys_id>{2:032x}"
    order = "^ORDERBYsys_updated_on^ORDERBYsys_id"
    first, second = [params["sysparm_query"] for params in far.asked][:2]
    assert first == f"{bounds}^state=1^NQ{bounds}^kind=x{order}"
    assert second == f"{later}^state=1^NQ{later}^kind=x^NQ{tied}^state=1^NQ{tied}^kind=x{order}"


def test_a_full_load_goes_by_key() -> None:
    """Without a cursor the key alone leads, and what is created meanwhile is left for the next run."""
    far = table(row(1, 9), row(2, 5), row(3, -5))
    assert numbers(read(far, size=1, cursor=False)[0]) == [1, 2]
    assert far.asked[1]["sysparm_query"] == (f"sys_created_on<=2026-06-01 12:00:00^sys_id>{1:032x}^ORDERBYsys_id")
    bare = table(row(1, 9))
    read(bare, cursor=False, created="")
    assert bare.asked[0]["sysparm_query"] == "ORDERBYsys_id"


def test_blank_rows_are_told_of() -> None:
    """Rows that come as `{}` are left out, counted and told of once."""
    far = table(row(1, 9), row(2, 8, blank=True), row(3, 7), row(4, 6, blank=True), row(5, 5, blank=True))
    pages, context = read(far, size=2)
    assert numbers(pages) == [1, 3]
    assert [(level, text[:40]) for level, text, _ in context.said] == [
        ("warning", "3 records came without content and were ")
    ]


def test_stepping_starts_anew_when_the_count_changes() -> None:
    """A row that leaves the window while offsets are stepped shifts the others: none of them is passed over."""
    hidden = [row(number, 100 - number, hidden=True) for number in range(4)]
    far = table(*hidden, row(4, 50), row(5, 40))

    def before(request: int) -> None:
        if request == 2:  # between two steps
            far.rows.pop(hidden[0]["sys_id"], None)
            far.rows.pop(hidden[1]["sys_id"], None)

    far.before = before
    assert numbers(read(far, size=2)[0]) == [4, 5]


def test_a_table_that_never_rests_is_told() -> None:
    """Stepping that always begins again ends in an error that says why."""
    far = table(*(row(number, 1000 - number, hidden=True) for number in range(500)))

    def before(request: int) -> None:
        far.rows.popitem()

    far.before = before
    with pytest.raises(BadAnswer, match=r"changes too fast .* paging\.filter"):
        read(far, size=2)


def test_a_count_that_is_not_told_is_no_end() -> None:
    """Without X-Total-Count an empty page says nothing, and that is said."""

    def silent(request: Request) -> Json:
        return answer({"result": []})

    with MemoryContext(answers=silent) as context, pytest.raises(BadAnswer, match="no X-Total-Count"):
        list(source().pages(context))


def test_rows_without_their_key_are_told() -> None:
    """The walk cannot go on behind a row that does not tell where it stands."""

    def keyless(request: Request) -> Json:
        return answer({"result": [{"sys_updated_on": "2026-06-01 11:00:00"}] * 3}, headers={"x-total-count": "9"})

    with MemoryContext(answers=keyless) as context, pytest.raises(BadAnswer, match="nothing at sys_id"):
        list(source().pages(context))


def test_values_may_stand_one_step_deeper() -> None:
    """With sysparm_display_value=all each field holds its value and how it is shown."""
    far = table(row(1, 9), row(2, 5))

    def all_of(request: Request) -> Json:
        found = far(request)
        rows = [{name: {"value": value} for name, value in one.items()} for one in found.json()["result"]]
        return answer({"result": rows}, headers=found.headers)

    options = {
        "account": "now",
        "path": "/t",
        "records": "result",
        "paging": {"kind": "servicenow", "size": 1, "key": "sys_id.value"},
        "cursor": {"field": "sys_updated_on.value", "format": "servicenow"},
    }
    with MemoryContext(answers=all_of, window=Window(None, NOON)) as context:
        pages = list(RestSource(RestOptions.model_validate(options)).pages(context))
    assert [one["n"]["value"] for page in pages for one in page.records] == [1, 2]
    assert far.asked[1]["sysparm_query"].startswith("sys_updated_on<=2026-06-01 12:00:00^sys_updated_on>2026")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"params": {"sysparm_query": "active=true"}}, "sysparm_query is the paging's own"),
        ({"params": {"sysparm_fields": "number,sys_updated_on"}}, "sysparm_fields has to name sys_id"),
        ({"params": {"sysparm_fields": "number,sys_id"}}, "has to name the cursor's field sys_updated_on"),
        ({"params": {"sysparm_display_value": "true"}}, "cannot read display values"),
        ({"path": "/api/now/v1/table/t"}, "version 1 of the Table API answers 404"),
        ({"paging": {"kind": "servicenow", "filter": "a=1^ORDERBYb"}}, "a query without ORDERBY"),
        ({"cursor": {"field": "sys_updated_on", "param": "sysparm_query"}}, "asks for what changed by itself"),
        ({"cursor": {"kind": "opaque", "param": "t", "next": "n"}}, "another kind of paging"),
    ],
)
def test_what_cannot_work_is_refused(changed: dict[str, Any], words: str) -> None:
    """Options that contradict the walk are told when they are configured."""
    given = {
        "account": "now",
        "path": "/t",
        "paging": {"kind": "servicenow"},
        "cursor": {"field": "sys_updated_on"},
    } | changed
    with pytest.raises(ValidationError, match=words):
        RestOptions.model_validate(given)
