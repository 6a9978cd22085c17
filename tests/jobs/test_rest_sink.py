"""REST destinations: what is sent, when it is sent again, and what the answers make of it."""

from datetime import UTC, datetime, timedelta
from itertools import count
from math import inf, nan
from typing import Any

import pytest

from jobs.contract import Answer, Counts, Delivery, FailedAnswer, Interrupted, Json
from jobs.ids import id_at
from jobs.progress import Progress
from jobs.sinks.rest import RestDestination
from jobs.testing import MemoryContext, Request, answer
from tests.jobs.crm import BAD, UPDATE, Crm, Failed, Mortal, Unsent, batch, deliver, options, row, states


def test_each_state_of_a_row_is_sent_once() -> None:
    """What was delivered is not sent again until it changes; the counts tell which was which."""
    crm = Crm()
    with MemoryContext(answers=crm) as context:
        deliver(context, [row("a"), row("b")])
        deliver(context, [row("a"), row("b", "new")])
        assert [request.json for request in crm.seen] == [row("a"), row("b"), row("b", "new")]
        assert context.counts == Counts(read=4, written=3, unchanged=1, pages=2)
        assert context.sent['"a"'].remote_id == "o1"


def test_of_several_states_in_a_page_the_last_is_sent() -> None:
    """The earlier ones count as unchanged."""
    crm = Crm()
    with MemoryContext(answers=crm) as context:
        deliver(context, [row("a", "old"), row("b"), row("a", "new")])
        assert [request.json for request in crm.seen] == [row("b"), row("a", "new")]
        assert context.counts == Counts(read=3, written=2, unchanged=1, pages=1)


def test_a_row_that_goes_back_is_sent_again() -> None:
    """A, B and A again are three deliveries, also for an API that keeps idempotency keys."""
    crm = Crm()
    with MemoryContext(answers=crm) as context:
        for name in ("A", "B", "A"):
            deliver(context, [row("a", name)], method="PUT", path="/orders/{key}", idempotency_header="Idempotency-Key")
        assert crm.names() == {"a": ["A"]}
        assert len({request.headers["Idempotency-Key"] for request in crm.seen}) == 3


ODD = {"key": "x/1 ä", "name": "n"}
SENT: list[tuple[dict[str, Json], dict[str, Json]]] = [
    ({}, {}),
    ({"path": "/o/{key}", "method": "PUT"}, {"path": "/o/x%2F1%20%C3%A4", "method": "PUT"}),
    ({"params": {"k": "{key}!"}, "body": {"n": "{name}"}}, {"params": {"k": "x/1 ä!"}, "json": {"n": "n"}}),
    ({"body": {"all": "{row}", "text": "<{name}>"}}, {"json": {"all": ODD, "text": "<n>"}}),
    ({"batch": 2}, {"json": [ODD]}),
    ({"batch": 2, "body": {"records": "{rows}"}}, {"json": {"records": [ODD]}}),
    ({"headers": {"X": "1"}, "act_for": {"who": "me"}}, {"headers": {"X": "1"}, "act_for": {"who": "me"}}),
]


@pytest.mark.parametrize(("given", "sent"), SENT)
def test_requests_are_made_from_rows(given: dict[str, Json], sent: dict[str, Json]) -> None:
    """Path, parameters and body are filled in; what stands in a path is escaped."""
    with MemoryContext(answers=[answer({"data": {"id": 1}})]) as context:
        deliver(context, [ODD], **given)
        usual: dict[str, Any] = {"account": "crm", "method": "POST", "path": "/orders", "json": ODD}
        assert context.requests == [Request(**(usual | sent))]


def test_a_value_that_json_cannot_hold_and_nobody_sends_does_no_harm() -> None:
    """Only what a request says counts; a null is one."""
    crm = Crm()
    with MemoryContext(answers=crm) as context:
        deliver(context, [{"key": "a", "name": None, "other": nan}], body={"key": "{key}", "name": "{name}"})
        assert ([request.json for request in crm.seen], context.rejects) == ([{"key": "a", "name": None}], [])


@pytest.mark.parametrize(
    ("rows", "given", "reason"),
    [
        ([{"name": "n"}], {}, "the record has no key, which is its key"),
        ([{"key": None, "name": "n"}], {}, "the record has no key, which is its key"),
        ([{"key": "a"}], {"body": {"n": "{name}"}}, "there is no value for {name}; known are key"),
        ([row("a", "")], {"path": "/o/{name}"}, "{name} is empty, which cannot be part of a path"),
        ([row("a", "..")], {"path": "/o/{name}"}, "{name} is '..', which cannot be part of a path"),
        ([{"key": 2**70, "name": "n"}], {}, "the key cannot be written as JSON"),
        ([{"key": "a", "name": 2**70}], {}, "the row cannot be written as JSON"),
        ([{"key": "a", "name": 2**70}], {"path": "/o/{name}"}, "{name} cannot be written as JSON"),
        ([{"key": nan, "name": "n"}], {}, "the key is nan, which JSON cannot hold"),
        ([{"key": "a", "name": inf}], {}, "name is inf, which JSON cannot hold"),
        ([{"key": "a", "name": {"x": [None, -inf]}}], {}, "x is -inf, which JSON cannot hold"),
        ([{"key": "a", "name": nan}], {"body": {"n": "{name}"}}, "n is nan, which JSON cannot hold"),
        ([{"key": "a", "name": nan}], {"body": {"n": "<{name}>"}}, "{name} is nan, which JSON cannot hold"),
        ([{"key": "a", "name": [nan]}], {"path": "/o/{name}"}, "{name} is nan, which JSON cannot hold"),
    ],
)
def test_a_row_that_cannot_be_sent_is_a_reject(rows: list[Any], given: dict[str, Json], reason: str) -> None:
    """It costs nobody else anything, and nothing is asked of the API for it."""
    crm = Crm()
    with MemoryContext(answers=crm) as context:
        deliver(context, [*rows, row("good")], **given)
        assert [request.json.get("key", request.json) for request in crm.seen] in (
            ["good"],
            [{"n": "a"}],
            [{"n": "<a>"}],
        )
        assert [(record, reason in why) for record, why in context.rejects] == [(rows[0], True)]
        assert (context.counts.written, context.counts.rejected) == (1, 1)


def test_a_changed_row_updates_what_it_made() -> None:
    """With the id that the API gave it; a row deleted over there is told, and made anew the next time."""
    crm = Crm()
    with MemoryContext(answers=crm) as context:
        deliver(context, [row("a")], update=UPDATE)
        deliver(context, [row("a", "new")], update=UPDATE)
        assert [request.method for request in crm.seen] == ["POST", "PATCH"]
        assert crm.orders == {"o1": row("a", "new")}
        crm.orders.clear()
        deliver(context, [row("a", "newer")], update=UPDATE)
        assert "answered 404" in context.rejects[0][1]
        assert "`worker replay job --rejects`" in context.rejects[0][1]
        deliver(context, [row("a", "newer")], update=UPDATE)
        assert crm.orders == {"o2": row("a", "newer")}


def test_an_update_may_go_by_the_rows_own_key() -> None:
    """Where the API told no id, what was delivered is known by its columns."""
    crm = Crm(orders={"a": row("a", "there")})
    with MemoryContext(answers=crm) as context:
        deliver(context, [row("a")], id="", path="/first")
        deliver(
            context,
            [row("a", "new")],
            id="",
            path="/first",
            update={"path": "/orders/{key}", "body": {"name": "{name}"}},
        )
        assert crm.orders["a"] == row("a", "new")


def test_what_is_gone_is_deleted() -> None:
    """Of what was delivered only; what is gone there too is fine, and it is made anew when it comes back."""
    crm = Crm()
    delete = {"path": "/orders/{remote_id}"}
    gone = {"gone": [{"key": "a"}, {"key": "b"}, {"key": "never"}]}
    with MemoryContext(answers=crm) as context:
        deliver(context, [row("a"), row("b")], delete=delete)
        crm.orders.pop("o2")
        deliver(context, [], page=gone, delete=delete)
        assert crm.orders == {}
        assert states(context) == {'"a"': "absent", '"b"': "absent"}
        assert context.counts == Counts(read=2, written=2, deleted=2, unchanged=1, pages=2)
        deliver(context, [row("a")], delete=delete)
        assert crm.names() == {"a": ["a"]}
        deliver(context, [], page=gone)
        assert (len(crm.orders), context.counts.unchanged) == (1, 4)


def test_what_was_made_again_is_not_deleted_once_more() -> None:
    """Its deletion, told again by the look-back, is older than the run that sent it anew."""
    crm = Crm()
    delete, noon = {"path": "/orders/{remote_id}"}, datetime(2026, 6, 1, 12, tzinfo=UTC)
    gone = {"gone": [{"key": "a"}], "gone_at": [noon]}
    with MemoryContext(answers=crm, run_id=id_at(noon - timedelta(hours=1))) as context:
        deliver(context, [row("a")], delete=delete)
        context.run_id = id_at(noon + timedelta(minutes=1))
        deliver(context, [], page=gone, delete=delete)
        assert crm.orders == {}
        deliver(context, [row("a")], delete=delete)
        deliver(context, [], page=gone, delete=delete)
        assert crm.names() == {"a": ["a"]}
        deliver(context, [], page=gone | {"gone_at": [noon + timedelta(hours=1)]}, delete=delete)
        assert crm.orders == {}


def test_what_is_gone_is_known_by_the_sources_name_too() -> None:
    """A source tells its own fields, which a map may have renamed."""
    crm = Crm()
    given = options(method="PUT", path="/orders/{key}", delete={"path": "/orders/{key}"})
    with MemoryContext(answers=crm) as context:
        sink = RestDestination(given, context, Progress(context), fields={"key": "serial"})
        sink.store([batch([row("a"), row("b")])])
        sink.store([batch([], gone=[{"serial": "a"}, {"key": "b"}])])
        assert (crm.orders, context.counts.deleted) == ({}, 2)


@pytest.mark.parametrize("status", [400, 409, 422])
def test_a_refused_row_is_a_reject(status: int) -> None:
    """With the API's words; the others go through, and it is tried again when it comes again."""
    script = [Failed(status, {"message": "no such customer"}), answer({"data": {"id": 2}}), answer({"data": {"id": 1}})]
    with MemoryContext(answers=script) as context:
        deliver(context, [row("a"), row("b")], error="message")
        assert context.rejects == [(row("a"), f"answered {status}: no such customer")]
        assert states(context) == {'"a"': "refused", '"b"': "delivered"}
        deliver(context, [row("a"), row("b")], error="message")
        assert states(context) == {'"a"': "delivered", '"b"': "delivered"}


SAYS = [
    ({"failed": "error"}, {"error": "bad"}, False),
    ({"failed": "error"}, {"error": None, "data": {"id": 7}}, True),
    ({"failed": "result[0].status == 'error'"}, {"result": [{"status": "error"}]}, False),
    ({"failed": "result[0].status == 'error'"}, {"result": [{"status": "inserted"}]}, True),
    ({"success": "ok"}, {"ok": True}, True),
    ({"success": "ok"}, {"ok": False}, False),
    ({"success": "ok"}, {}, False),
]


@pytest.mark.parametrize(("given", "document", "is_in"), SAYS)
def test_the_answer_tells_whether_a_row_is_in(given: dict[str, Json], document: Json, is_in: bool) -> None:
    """A status of 201 alone does not, where options say what to look at."""
    with MemoryContext(answers=[answer(document, 201)]) as context:
        deliver(context, [row("a")], **given)
        assert states(context) == {'"a"': "delivered" if is_in else "refused"}
        assert context.counts.rejected == (0 if is_in else 1)


def test_an_empty_answer_is_a_delivery_without_an_id() -> None:
    """Access rules may hide what was made: that is warned of, and nothing is sent twice."""
    with MemoryContext(answers=[Answer(201, {}, b"", "https://api.test/orders")]) as context:
        deliver(context, [row("a")], failed="error", update=UPDATE)
        deliver(context, [row("a")], failed="error", update=UPDATE)
        assert context.sent['"a"'].remote_id == ""
        assert [level for level, *_ in context.said] == ["warning"]


@pytest.mark.parametrize("item_key", ["", "key"])
def test_each_item_of_a_batch_has_its_verdict(item_key: str) -> None:
    """By order, or by the key in it."""
    crm = Crm()
    rows = [row("a"), row("b", BAD), row("c"), row("d"), row("e", BAD)]
    with MemoryContext(answers=crm) as context:
        given: dict[str, Any] = {
            "path": "/batch",
            "batch": 2,
            "items": "results",
            "failed": "state != 'ok'",
            "error": "message",
            "id": "id",
        }
        deliver(context, rows, item_key=item_key, **given)
        assert [len(request.json) for request in crm.seen] == [2, 2, 1]
        assert context.rejects == [(one, "the API refused it: bad name") for one in (rows[1], rows[4])]
        ids = {key: one.remote_id for key, one in context.sent.items() if one.remote_id}
        assert ids == {'"a"': "o1", '"c"': "o2", '"d"': "o3"}


def test_an_item_that_is_not_told_of_is_in_doubt() -> None:
    """It may have been taken or not."""
    with MemoryContext(answers=[answer({"results": [{"key": "a", "state": "ok"}]})]) as context:
        deliver(
            context,
            [row("a"), row("b")],
            path="/batch",
            batch=2,
            items="results",
            item_key="key",
            failed="state != 'ok'",
        )
        assert states(context) == {'"a"': "delivered", '"b"': "in_doubt"}


def test_a_refused_batch_is_halved_to_find_the_bad_rows() -> None:
    """Where the API takes all rows or none, the good ones still get in."""
    crm = Crm()
    rows = [row(number, BAD if number in (2, 5) else "a") for number in range(8)]
    with MemoryContext(answers=crm) as context:
        deliver(context, rows, path="/all", batch=8, id="", error="message")
        assert sorted(crm.names()) == ["0", "1", "3", "4", "6", "7"]
        assert context.rejects == [(rows[at], "answered 400: a row is bad") for at in (2, 5)]
        assert context.counts == Counts(read=8, written=6, rejected=2, pages=1)


@pytest.mark.parametrize(
    "error", [Unsent("down"), Failed(401), Failed(403), Failed(404), Failed(429), Failed(503, None, 3.0)]
)
@pytest.mark.parametrize("parallel", [1, 3])
def test_what_was_not_done_leaves_no_trace(error: Exception, parallel: int) -> None:
    """The run fails, what went through is kept, and the next attempt sends the rest once."""
    crm = Crm()

    def script(request: Request) -> Any:  # noqa: ANN401 - a reply
        return error if request.json["key"] == "b" and down else crm(request)

    down = True
    with MemoryContext(answers=script) as context:
        with pytest.raises(type(error)):
            deliver(context, [row("a"), row("b"), row("c")], page={"cursor": 5}, parallel=parallel)
        assert states(context)['"b"'] == "absent"
        assert (context.cursors, context.counts.read) == ({}, 0)
        down = False
        deliver(context, [row("a"), row("b"), row("c")], page={"cursor": 5}, parallel=parallel)
        assert crm.names() == {"a": ["a"], "b": ["a"], "c": ["a"]}
        assert context.counts == Counts(read=3, written=3, unchanged=1 if parallel == 1 else 2, pages=1)
        assert context.cursor().value == 5


def test_a_change_that_was_not_sent_leaves_what_was_known() -> None:
    """The row is still delivered in its old state, under its id."""
    with MemoryContext(answers=[answer({"data": {"id": 1}}), Unsent("down")]) as context:
        deliver(context, [row("a")], update=UPDATE)
        known = context.sent['"a"']
        with pytest.raises(Unsent):
            deliver(context, [row("a", "new")], update=UPDATE)
        assert context.sent['"a"'] == known


def test_marks_are_there_before_the_request_and_outcomes_with_the_next_mark() -> None:
    """One transaction per request: what died in between is told by its mark."""
    seen: list[dict[str, str]] = []
    units = count()

    def script(request: Request) -> Answer:
        seen.append(states(context))
        return answer({"data": {"id": request.json["key"]}})

    with Mortal(answers=script, deaths=("fine" for _ in units)) as context:
        deliver(context, [row("a"), row("b"), row("c")])
        assert seen == [
            {'"a"': "sending"},
            {'"a"': "delivered", '"b"': "sending"},
            {'"a"': "delivered", '"b"': "delivered", '"c"': "sending"},
        ]
        assert next(units) == 4


def test_an_interrupted_run_goes_on_where_it_was() -> None:
    """Between two requests; nothing is marked that did not leave."""
    crm = Crm()
    with MemoryContext(answers=crm, interrupt_after=2) as context:
        with pytest.raises(Interrupted):
            deliver(context, [row("a"), row("b"), row("c")])
        assert states(context) == {'"a"': "delivered", '"b"': "delivered"}
        context.interrupt_after = None
        deliver(context, [row("a"), row("b"), row("c")])
        assert crm.names() == {"a": ["a"], "b": ["a"], "c": ["a"]}


def test_a_preview_sends_nothing_and_shows_what_it_would() -> None:
    """Requests are collected, deletions too."""
    with MemoryContext(dry=True) as context:
        sent = Delivery('"b"', "x", "delivered", "o7")
        context.sent['"b"'] = sent
        sink = RestDestination(
            options(update=UPDATE, delete={"path": "/orders/{remote_id}"}), context, Progress(context)
        )
        sink.store([batch([row("a")], gone=[{"key": "b"}])])
        assert [(one.method, one.path, one.body) for one in sink.parcels] == [
            ("POST", "/orders", row("a")),
            ("DELETE", "/orders/o7", None),
        ]
        assert (context.requests, context.counts.written, context.counts.deleted) == ([], 1, 1)


def test_an_answer_that_cannot_be_read_ends_the_run() -> None:
    """A page in place of JSON says that something is wrong with all of it; its row is in doubt."""
    crm = Crm(faults=iter(["html"]))
    with MemoryContext(answers=crm) as context:
        with pytest.raises(Exception, match="expected JSON"):
            deliver(context, [row("a"), row("b")], failed="error")
        assert states(context) == {'"a"': "in_doubt"}
        assert len(crm.seen) == 1


def test_a_status_that_nobody_expects_ends_the_run() -> None:
    """It names itself; a status that means that rows were done may not be sent again."""
    with MemoryContext(answers=[Failed(500)]) as context:
        with pytest.raises(FailedAnswer, match="answered 500"):
            deliver(context, [row("a")])
        assert states(context) == {'"a"': "sending"}
