"""Rows of which nobody knows whether they arrived: held, sent again or looked up."""

import shlex
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import repeat
from typing import Any

import pytest

from jobs.contract import Delivery, Json, Unanswered, WorkerError
from jobs.ids import id_at
from jobs.sinks.doubt import never_acted
from jobs.testing import MemoryContext, Request
from tests.jobs.crm import LOOKUP, UPDATE, Crm, Died, Failed, Mortal, deliver, remember, row, states
from worker.model import errors

HEADER: dict[str, Json] = {"idempotency_header": "Idempotency-Key"}
PUT: dict[str, Json] = {"method": "PUT", "path": "/orders/{key}"}
ASKED: dict[str, Json] = {"in_doubt": "lookup", "lookup": LOOKUP}


def test_a_lost_answer_holds_its_row() -> None:
    """The reject says what can be done; the others go through, and nothing is sent again by itself."""
    crm = Crm(faults=iter(["lost"]))
    with MemoryContext(answers=crm) as context:
        deliver(context, [row("a"), row("b")])
        deliver(context, [row("a", "new"), row("b")])
        assert crm.names() == {"a": ["a"], "b": ["a"]}
        assert states(context) == {'"a"': "in_doubt", '"b"': "delivered"}
        first, second = context.rejects
        assert first[1] == (
            'in doubt: "a": no complete answer came; look whether it is there: if not, `worker replay job --rejects` '
            "sends it again; if so, say it with `worker trigger job --param 'arrived=\"a\"'`"
        )
        assert (first[0], second[0]) == (row("a"), row("a", "new"))


@pytest.mark.parametrize("moment", ["killed", "before", "after"])
@pytest.mark.parametrize("given", [{}, HEADER, PUT, ASKED, ASKED | {"update": UPDATE}])
def test_a_process_that_dies_doubles_nothing(moment: str, given: dict[str, Json]) -> None:
    """Over a request, and on either side of the transaction that books it."""
    crm, deaths = Crm(), ["fine", "fine", moment]
    if moment == "killed":
        crm.faults, deaths = iter(["fine", "killed"]), []
    rows = [row("a"), row("b"), row("c")]
    with Mortal(answers=crm, deaths=iter(deaths)) as context:
        with pytest.raises(Died):
            deliver(context, rows, **given)
        context.reborn()
        deliver(context, rows, **given)
        there = crm.names()
        held = {key for key, state in states(context).items() if state == "in_doubt"}
        assert all(len(names) == 1 for names in there.values())
        assert {f'"{key}"' for key in "abc"} - held <= {f'"{key}"' for key in there}
        assert bool(held) == (given == {})
        assert len(context.rejects) == len(held)


@pytest.mark.parametrize("fault", ["unsent", "503", "killed", "lost"])
def test_a_deletion_that_broke_off_is_told_again(fault: str) -> None:
    """Its mark is of a later run than the time at which the row went, and says nothing of its being made again."""
    crm, went = Crm(faults=iter(["fine", fault])), datetime(2026, 6, 1, 12, tzinfo=UTC)
    page, delete = {"gone": [{"key": "a"}], "gone_at": [went]}, {"path": "/orders/{remote_id}"}
    with Mortal(answers=crm, run_id=id_at(went - timedelta(hours=1))) as context:
        deliver(context, [row("a")], delete=delete)
        context.run_id = id_at(went + timedelta(hours=1))
        with suppress(Died, WorkerError):
            deliver(context, [], page=page, delete=delete)
        context.reborn()
        deliver(context, [], page=page, delete=delete)
        assert (crm.orders, states(context)) == ({}, {'"a"': "absent"})
    assert [request.method for request in crm.seen] == ["POST", "DELETE", "DELETE"]


def test_the_same_key_goes_with_the_same_request() -> None:
    """A row that is sent again carries what the API knows it by, whichever attempt sends it."""
    crm = Crm(faults=iter(["lost", "lost", "lost"]))
    with MemoryContext(answers=crm) as context:
        for _ in range(3):
            with pytest.raises(Unanswered):
                deliver(context, [row("a")], **HEADER)
        deliver(context, [row("a")], **HEADER)
        assert crm.names() == {"a": ["a"]}
        assert len({request.headers["Idempotency-Key"] for request in crm.seen}) == 1


def test_a_key_in_use_is_no_refusal() -> None:
    """The API still works on the first request: the run is tried again later."""
    script = [Unanswered("lost"), Failed(409)]
    with MemoryContext(answers=script) as context:
        for kind in (Unanswered, Failed):
            with pytest.raises(kind):
                deliver(context, [row("a")], **HEADER)
        assert states(context) == {'"a"': "sending"}


def test_another_content_is_not_covered_by_the_key() -> None:
    """The first one may be there: sent under another key it would be there twice."""
    crm = Crm(faults=iter(["lost"]))
    with MemoryContext(answers=crm) as context:
        with pytest.raises(Unanswered):
            deliver(context, [row("a")], **HEADER)
        deliver(context, [row("a", "new")], **HEADER)
        assert (crm.names(), states(context)) == ({"a": ["a"]}, {'"a"': "in_doubt"})
        deliver(context, [row("a")], **HEADER)
        assert (crm.names(), states(context)) == ({"a": ["a"]}, {'"a"': "delivered"})


@pytest.mark.parametrize("fault", ["lost", "500", "unsent"])
def test_a_look_tells_what_arrived(fault: str) -> None:
    """What is there is delivered and its id known; what is not is sent."""
    crm = Crm(faults=iter([fault]))
    with MemoryContext(answers=crm) as context:
        with pytest.raises(Exception, match=r"no complete answer|answered 500|never left"):
            deliver(context, [row("a"), row("b")], update=UPDATE, **ASKED)
        deliver(context, [row("a"), row("b")], update=UPDATE, **ASKED)
        deliver(context, [row("a", "new"), row("b")], update=UPDATE, **ASKED)
        assert crm.names() == {"a": ["new"], "b": ["a"]}
        assert context.rejects == []


def test_what_changed_since_is_updated_after_the_look() -> None:
    """The old state is there, so the new one goes to its id."""
    crm = Crm(faults=iter(["lost"]))
    with MemoryContext(answers=crm) as context:
        with pytest.raises(Unanswered):
            deliver(context, [row("a")], update=UPDATE, **ASKED)
        deliver(context, [row("a", "new")], update=UPDATE, **ASKED)
        assert crm.orders == {"o1": row("a", "new")}


def test_resend_sends_again() -> None:
    """Whoever chooses it would rather have a row twice than not at all."""
    crm = Crm(faults=iter(["lost"]))
    with MemoryContext(answers=crm) as context:
        with pytest.raises(Unanswered):
            deliver(context, [row("a")], in_doubt="resend")
        deliver(context, [row("a")], in_doubt="resend")
        assert (crm.names(), states(context)) == ({"a": ["a", "a"]}, {'"a"': "delivered"})


def test_a_person_can_have_a_held_row_sent() -> None:
    """By trying its reject again."""
    crm = Crm(faults=iter(["killed"]))
    with Mortal(answers=crm) as context:
        with pytest.raises(Died):
            deliver(context, [row("a")])
        context.reborn()
        crm.orders.clear()
        deliver(context, [row("a")])
        (kept,) = context.kept()
        deliver(context, [row("a")], page={"settles": [kept.hash]})
        assert (crm.names(), context.rejects) == ({"a": ["a"]}, [])


def test_a_held_rows_remedy_can_be_pasted() -> None:
    """Whatever stands in the key, and one sentence it is, though the cause ends one."""
    crm = Crm(faults=iter(["lost"]))
    with MemoryContext(answers=crm, job="to-crm") as context:
        deliver(context, [row("O'Brien's $1")])
        told = context.rejects[0][1]
        command = told.rpartition("say it with `")[2].removesuffix("`")
        assert shlex.split(command) == ["worker", "trigger", "to-crm", "--param", "arrived=\"O'Brien's $1\""]
    with MemoryContext(answers=[Unanswered("it hung up. Look at the API.")]) as context:
        deliver(context, [row("a")])
        assert "it hung up. Look at the API; look whether" in context.rejects[0][1]


@pytest.mark.parametrize("given", ["a", '"a"', ["a", "b"]])
def test_a_person_can_say_that_a_held_row_arrived(given: Json) -> None:
    """Its reject is gone with that, and it counts as delivered."""
    crm = Crm(faults=iter(["lost"]))
    with MemoryContext(answers=crm, params={"arrived": given}) as context:
        remember(context, Delivery('"b"', "x", "delivered", "o9"))
        context.params, params = {}, context.params
        deliver(context, [row("a")])
        assert len(context.rejects) == 1
        context.params = params
        deliver(context, [row("a")])
        assert (states(context), len(context.rejects), len(crm.seen)) == (
            {'"a"': "delivered", '"b"': "delivered"},
            0,
            1,
        )


POLL: dict[str, Json] = {
    "path": "/import",
    "body": {"records": "{rows}"},
    "batch": 2,
    "failed": "state == 'error'",
    "error": "message",
    "id": "id",
    "poll": {"path": "/imports/{answer.import_id}/rows", "done": "finished", "items": "rows", "item_key": "key"},
}


def test_an_import_is_watched_to_its_end() -> None:
    """Each row has its verdict then."""
    crm = Crm(pending=3)
    with MemoryContext(answers=crm) as context:
        deliver(context, [row("a"), row("b", "!error"), row("c")], **POLL)
        assert states(context) == {'"a"': "delivered", '"b"': "refused", '"c"': "delivered"}
        assert context.rejects == [(row("b", "!error"), "the API refused it: bad name")]
        assert [request.path for request in context.requests if request.method == "GET"] == [
            *repeat("/imports/i0/rows", 4),
            "/imports/i1/rows",
        ]


def test_an_import_without_an_end_leaves_its_rows_in_doubt() -> None:
    """After the time one is ready to wait; none of them is sent again by itself."""
    crm = Crm(pending=10_000)
    with MemoryContext(answers=crm) as context:
        deliver(context, [row("a"), row("b")], **POLL)
        assert states(context) == {'"a"': "in_doubt", '"b"': "in_doubt"}
        assert "did not come out within 300 s" in context.rejects[0][1]
        assert len(context.requests) == 1 + 151


@pytest.mark.parametrize(
    ("by", "told", "why"),
    [
        ({"item_key": "key"}, {'"a"': "delivered", '"b"': "in_doubt"}, "all is done, and does not tell of it"),
        ({}, {'"a"': "in_doubt", '"b"': "in_doubt"}, "tells of 1 rows at 'rows', 2 were sent"),
    ],
)
def test_what_a_finished_import_leaves_out_is_in_doubt_at_once(
    by: dict[str, Json], told: dict[str, str], why: str
) -> None:
    """Nothing more comes out of it, so it is looked at once."""
    done = {"finished": True, "rows": [{"key": "a", "state": "ok", "id": "o1"}]}
    poll = {"path": "/imports/{answer.import_id}/rows", "done": "finished", "items": "rows", **by}
    with MemoryContext(answers=[{"import_id": "i0"}, *repeat(done, 200)]) as context:
        deliver(context, [row("a"), row("b")], **POLL | {"poll": poll})
        assert states(context) == told
        assert why in context.rejects[-1][1]
        assert len(context.requests) == 1 + 1


def test_trouble_while_watching_is_waited_out() -> None:
    """A look may fail; the next one tells."""
    crm, troubles = Crm(), iter([Failed(503), Unanswered("lost")])

    def script(request: Request) -> Any:  # noqa: ANN401 - a reply
        return next(troubles, None) or crm(request) if request.method == "GET" else crm(request)

    with MemoryContext(answers=script) as context:
        deliver(context, [row("a")], **POLL)
        assert states(context) == {'"a"': "delivered"}


def test_a_kept_reject_is_told_by_its_key() -> None:
    """One of another row that begins alike stays."""
    with MemoryContext(answers=Crm(faults=iter(["lost", "lost"]))) as context:
        deliver(context, [row("a"), row('a": x')])
        context.params = {"arrived": "a"}
        deliver(context, [])
        assert [kept.record for kept in context.kept()] == [row('a": x')]


ACTED = [
    (errors.CallUnsent("x"), True),
    (errors.CallRefused("x"), True),
    (errors.TokenUnavailable("x", "crm"), True),
    (errors.AccountBlocked("x", "crm"), True),
    (errors.NeedsLogin("x", "crm"), True),
    (errors.TokenUndecryptable("x", "crm"), True),
    (errors.AuthRejected("x", "crm"), True),
    (errors.CallFailed("x", 404), True),
    (errors.CallFailed("x", 501), True),
    (errors.CallFailed("x", 503, retry_after_s=2.0), True),
    (errors.CallFailed("x", 503), False),
    (errors.CallFailed("x", 502), False),
    (errors.CallUnanswered("x"), False),
    (errors.BodyTooLarge("x"), False),
    (errors.StoreUnreachable("x"), False),
    (errors.AttemptLost("x"), False),
]


@pytest.mark.parametrize(("error", "never"), ACTED, ids=lambda value: getattr(value, "kind", ""))
def test_which_errors_say_that_nothing_was_done(error: WorkerError, never: bool) -> None:
    """Those that the worker raises before a request leaves, and answers that turned it away; no others."""
    assert never_acted(error) is never
