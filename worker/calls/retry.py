"""Which outcomes of a call are worth another try, and how long to wait before it.

What may have had an effect is not sent twice: POST and PATCH are repeated only where the request surely never left, or
where the answer says that it was turned away before it was looked at: 429 (RFC 6585 section 4), and 503 that names a
Retry-After (RFC 9110 section 15.6.4).
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from jobs.contract import Answer
from worker.model.errors import CallError, CallUnanswered, CallUnsent
from worker.model.values import RetryOptions

LONGEST_S = 3600.0  # rate limits are counted by the hour at most; beyond it a header is taken for a mistake
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})  # RFC 9110 section 9.2.2
_TRIED_LATER = frozenset({408, 425})
_NEVER = frozenset({501, 505})  # it cannot do that, now or later
_EPOCH = 1_000_000_000.0  # a reset below it is a number of seconds, above it a Unix time

Result = Answer | CallError


def why_again(method: str, outcome: Result) -> str | None:
    """Returns why the same request may be sent again, or None where it may not."""
    if isinstance(outcome, CallUnsent):
        return "it never left"
    if isinstance(outcome, CallUnanswered):
        return "no complete answer came" if method in IDEMPOTENT else None
    if isinstance(outcome, CallError):
        return None
    if outcome.status == 202 and method == "GET" and not outcome.body:  # noqa: PLR2004  ServiceNow, overloaded
        return "answered 202 without a body"
    return f"answered {outcome.status}" if _turned_away(method, outcome) else None


def _turned_away(method: str, answer: Answer) -> bool:
    if answer.status == 429 or (answer.status == 503 and "retry-after" in answer.headers):  # noqa: PLR2004  see above
        return True
    trouble = answer.status in _TRIED_LATER or (answer.status >= 500 and answer.status not in _NEVER)  # noqa: PLR2004
    return trouble and method in IDEMPOTENT


def asked_wait_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Returns the seconds the far end asks us to wait, from 0 to an hour; None where it says nothing readable.

    Read are Retry-After in both forms (RFC 9110 section 10.2.3), and X-RateLimit-Reset.
    """
    asked = _retry_after(headers.get("retry-after", ""), now)
    if asked is None:
        asked = _reset(headers.get("x-ratelimit-reset", ""), now)
    return None if asked is None else min(max(asked, 0.0), LONGEST_S)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if value == value and abs(value) != float("inf") else None  # noqa: PLR0124  not a number is unequal to itself


def _retry_after(text: str, now: datetime) -> float | None:
    seconds = _number(text)
    if seconds is not None or not text:
        return seconds
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # a year, or a zone, of twenty digits
        return None
    return (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()


def _reset(text: str, now: datetime) -> float | None:
    value = _number(text)
    return value - now.timestamp() if value is not None and value > _EPOCH else value


def backoff_s(tries: int, options: RetryOptions, draw: Callable[[], float]) -> float:
    """Returns the wait after so many tries: full jitter under an exponential ceiling; `draw` returns 0 to 1."""
    return draw() * min(options.max, options.backoff * 2.0 ** (tries - 1))
