"""What is sent again, and when: rules that hold for all inputs."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.contract import Answer
from worker.calls.retry import LONGEST_S, asked_wait_s, backoff_s, why_again
from worker.model.errors import BodyTooLarge, CallRefused, CallUnanswered, CallUnsent
from worker.model.values import RetryOptions

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
METHODS = ("GET", "HEAD", "PUT", "DELETE", "POST", "PATCH")
SAFE = ("GET", "HEAD", "PUT", "DELETE")


def answered(status: int, body: bytes = b"x", **headers: str) -> Answer:
    """Returns an answer."""
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, body, "https://a/b")


@pytest.mark.parametrize("method", METHODS)
def test_what_never_left_is_sent_again(method: str) -> None:
    """Any method may be repeated where nothing was sent."""
    assert why_again(method, CallUnsent("no"))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("status", [408, 425, 500, 502, 503, 504, 599])
def test_trouble_is_repeated_only_where_that_is_harmless(method: str, status: int) -> None:
    """POST and PATCH may have been acted upon."""
    assert bool(why_again(method, answered(status))) is (method in SAFE)
    assert bool(why_again(method, CallUnanswered("no"))) is (method in SAFE)


@pytest.mark.parametrize("method", METHODS)
def test_what_was_turned_away_is_sent_again(method: str) -> None:
    """429, and 503 with Retry-After, say that nothing was done."""
    assert why_again(method, answered(429))
    assert why_again(method, answered(503, retry_after="1"))


@pytest.mark.parametrize("status", [200, 201, 204, 302, 400, 401, 403, 404, 409, 422, 501, 505])
def test_final_answers_are_final(status: int) -> None:
    """Asking again would bring the same."""
    assert not any(why_again(method, answered(status)) for method in METHODS)


def test_refused_and_too_large_are_final() -> None:
    """What the worker itself refuses is not tried again."""
    assert not why_again("GET", CallRefused("no"))
    assert not why_again("GET", BodyTooLarge("no"))


def test_accepted_without_a_body_is_asked_again_by_get_only() -> None:
    """ServiceNow answers so when overloaded; for a POST it is an ordinary answer."""
    assert why_again("GET", answered(202, b""))
    assert not why_again("GET", answered(202, b"{}"))
    assert not why_again("POST", answered(202, b""))


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "-5"}, 0.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "999999"}, LONGEST_S),
        ({"retry-after": format_datetime(NOW + timedelta(seconds=90), usegmt=True)}, 90.0),
        ({"retry-after": format_datetime(NOW - timedelta(days=1), usegmt=True)}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "Mon, 99 Nov 2026 12:00:00 GMT"}, None),
        ({"retry-after": f"Mon, 23 Nov {'9' * 20} 12:00:00 GMT"}, None),
        ({"x-ratelimit-reset": str(int(NOW.timestamp()) + 1800)}, 1800.0),
        ({"x-ratelimit-reset": "30"}, 30.0),
        ({"retry-after": "5", "x-ratelimit-reset": "30"}, 5.0),
        ({"retry-after": "soon", "x-ratelimit-reset": "30"}, 30.0),
        ({}, None),
    ],
)
def test_asked_wait_is_read_in_every_form(headers: dict[str, str], wait_s: float | None) -> None:
    """Seconds, dates and resets; nonsense counts as nothing said."""
    assert asked_wait_s(headers, NOW) == wait_s


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_header_brings_an_error_or_a_wait_out_of_bounds(after: str, reset: str) -> None:
    """Whatever a server sends, the wait is none, or within 0 and an hour."""
    wait_s = asked_wait_s({"retry-after": after, "x-ratelimit-reset": reset}, NOW)
    assert wait_s is None or 0.0 <= wait_s <= LONGEST_S


@given(
    st.integers(1, 200),
    st.floats(0.001, 1000.0),
    st.floats(0.001, 10_000.0),
    st.floats(0.0, 1.0),
)
def test_backoff_stays_within_its_ceiling(tries: int, backoff: float, most: float, drawn: float) -> None:
    """Full jitter: from 0 to the ceiling, which doubles up to the maximum."""
    options = RetryOptions(attempts=3, backoff=backoff, max=most)
    assert 0.0 <= backoff_s(tries, options, lambda: drawn) <= min(most, backoff * 2.0 ** (tries - 1))
    assert backoff_s(tries, options, lambda: 1.0) <= backoff_s(tries + 1, options, lambda: 1.0)
