"""The job type `request`: one call, what its answer must be, and never sent twice where that may harm."""

from datetime import UTC, datetime
from typing import Any

import pytest

from jobs.contract import (
    BadAnswer,
    Delivery,
    DeliveryState,
    FailedAnswer,
    GiveUp,
    Json,
    Unanswered,
    Window,
    WorkerError,
)
from jobs.request import InDoubt, Request, RequestOptions
from jobs.testing import MemoryContext, Reply, answer

WINDOW = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))


def job(**options: Json) -> Request:
    """Returns the job with these options."""
    return Request(RequestOptions.model_validate({"account": "erp", "path": "/ping"} | options))


def failed(status: int) -> FailedAnswer:
    """Returns the error of an answer with this status."""
    error = FailedAnswer(f"answered {status}")
    error.status, error.body = status, b'{"error": "gone"}'
    return error


def test_a_call_is_made_and_counted() -> None:
    """Texts are filled with the run's window and parameters."""
    with MemoryContext(answers=[{"status": "ok"}], window=WINDOW, params={"region": "e/u", "n": 7}) as context:
        job(
            path="/regions/{params.region}",
            method="POST",
            params={"from": "{since}"},
            body={"n": "{params.n}", "text": "run {run} of {job}"},
            expect={"that": ["status == 'ok'"]},
        ).run(context)
        (request,) = context.requests
        assert (request.method, request.path) == ("POST", "/regions/e%2Fu")
        assert request.params == {"from": "2026-01-01T00:00:00Z"}
        assert request.json == {"n": 7, "text": "run 1 of job"}
        assert (context.counts.read, context.counts.written) == (1, 1)


@pytest.mark.parametrize(
    ("expect", "reply", "words"),
    [
        ({"status": [204]}, answer({}), "answered 200; expected 204"),
        ({"that": ["status == 'ok'"]}, answer({"status": "down"}), "is false; expected it to hold"),
        ({"that": ["items[0]"]}, answer({"items": []}), "is null; expected it to hold"),
    ],
)
def test_an_answer_that_is_not_as_expected_fails_the_run(expect: dict[str, Any], reply: Reply, words: str) -> None:
    """The message says what was found."""
    with MemoryContext(answers=[reply, reply]) as context:
        with pytest.raises(BadAnswer, match=words):
            job(expect=expect).run(context)
        with pytest.raises(GiveUp, match=words):
            job(expect=expect, method="POST").run(context)


def test_an_expected_refusal_is_no_failure() -> None:
    """A status of 400 or more can be what is wanted."""
    with MemoryContext(answers=[failed(404), failed(410)]) as context:
        job(expect={"status": [404], "that": ["error == 'gone'"]}).run(context)
        with pytest.raises(FailedAnswer):
            job(expect={"status": [404]}).run(context)


@pytest.mark.parametrize("state", ["sending", "in_doubt", "delivered"])
def test_a_request_that_may_have_been_acted_upon_is_not_sent_again(state: DeliveryState) -> None:
    """Not by the next attempt of the same run; another run sends its own."""
    with MemoryContext(answers=[{}], sent={"run:1": Delivery("run:1", "", state)}) as context:
        with pytest.raises(InDoubt, match="it may have been acted upon"):
            job(method="POST").run(context)
        assert context.requests == []
        context.run_id = 2
        job(method="POST").run(context)
        assert context.sent["run:2"].state == "delivered"


def test_an_answer_that_never_came_leaves_a_doubt() -> None:
    """The mark stays, and the next attempt finds it."""
    with MemoryContext(answers=[Unanswered("cut off")]) as context:
        for _ in range(2):
            with pytest.raises(InDoubt):
                job(method="PATCH").run(context)
        assert len(context.requests) == 1
        assert context.sent["run:1"].state == "in_doubt"


class TooLarge(WorkerError):
    """An answer that nobody read to its end."""

    kind = "body_too_large"


@pytest.mark.parametrize("error", [failed(502), failed(504), TooLarge("more than max_body")])
def test_an_answer_that_does_not_tell_leaves_a_doubt(error: WorkerError) -> None:
    """A gateway's server may have acted, and one whose answer is too large surely has: none is asked a second time."""
    with MemoryContext(answers=[error, {}]) as context:
        for _ in range(2):
            with pytest.raises(InDoubt):
                job(method="POST").run(context)
        assert len(context.requests) == 1
        assert context.sent["run:1"].state == "in_doubt"


def test_a_request_that_never_left_is_sent_by_the_next_attempt() -> None:
    """The error says so."""

    class Unreachable(WorkerError):
        kind = "unreachable"

    with MemoryContext(answers=[Unreachable("no route"), {}]) as context:
        with pytest.raises(Unreachable):
            job(method="POST").run(context)
        job(method="POST").run(context)
        assert context.sent["run:1"].state == "delivered"


def test_a_refused_request_is_sent_again_by_the_next_attempt() -> None:
    """An answer of 503 says that nothing was done."""
    with MemoryContext(answers=[failed(503), {}]) as context:
        with pytest.raises(FailedAnswer):
            job(method="POST").run(context)
        job(method="POST").run(context)
        assert context.sent["run:1"].state == "delivered"


@pytest.mark.parametrize("options", [{"idempotency_header": "Idempotency-Key"}, {"reads": True}, {"method": "PUT"}])
def test_what_may_be_repeated_leaves_no_mark(options: dict[str, Any]) -> None:
    """The error is passed on, and the run's retry sends again, under the same key."""
    with MemoryContext(answers=[Unanswered("cut off"), {}]) as context:
        with pytest.raises(Unanswered):
            job(**{"method": "POST"} | options).run(context)
        job(**{"method": "POST"} | options).run(context)
        first, second = context.requests
        assert first.headers == second.headers
        assert context.sent == {}


def test_a_missing_parameter_gives_up_before_anything_is_sent() -> None:
    """The message names it."""
    with MemoryContext() as context:
        with pytest.raises(GiveUp, match=r"no value for \{params.region\}"):
            job(path="/{params.region}").run(context)
        assert context.requests == []
