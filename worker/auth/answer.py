"""Reads what a token endpoint answered: a token, or a refusal and what becomes of it.

Nothing of a body goes further than this file but the token, the RFC's `error` code and its description, masked and cut.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from jobs.contract import Answer, BadAnswer, Json
from worker.auth.grants import Grant, Verdict
from worker.vault.redact import redact
from worker.vault.secret import Secret

_TRANSIENT_STATUSES = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
_DENIALS = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_PASSING = frozenset({"server_error", "temporarily_unavailable"})  # RFC 6749 section 4.1.2.1
_CONFIGURATION = frozenset(
    {"invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope"}
)  # section 5.2
# RFC 6749 appendix A.12 allows a token any visible character; RFC 6750 fewer, but Salesforce's hold `!`
_ACCESS_TOKEN = re.compile(r"[\x21-\x7e]+")
_CODE = re.compile(r"[\x20-\x21\x23-\x5b\x5d-\x7e]{1,64}")  # section 5.2, bounded
_MOST_TEXT = 200  # characters of a description
_MILLISECONDS = 1e11  # seconds since 1970 will be as many in the year 5138
_MOST_LIFE_S = 315_360_000.0  # ten years: beyond it a number is no lifetime


@dataclass(frozen=True)
class Granted:
    """A token as it came; what the answer did not say is None."""

    access: Secret
    refresh: Secret | None = None
    expires_in_s: float | None = None
    scope: str | None = None
    refresh_expires_in_s: float | None = None  # of the refresh token itself


@dataclass(frozen=True)
class Refusal:
    """No token, and what becomes of the account; `in_doubt`: the server may have issued one all the same."""

    verdict: Verdict
    message: str
    retry_after_s: float | None = None
    in_doubt: bool = False
    code: str = ""  # the RFC's, where the answer has one


def read_answer(answer: Answer, grant: Grant, now: datetime) -> Granted | Refusal:
    """Returns the token in an answer, or why there is none; the status counts first (RFC 6749 sections 5.1 and 5.2)."""
    body = _object(answer)
    succeeded = HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES
    if succeeded and body is not None and body.get("error") in (None, ""):
        return _token(body, answer, now)
    if succeeded and body is None:
        return Refusal(Verdict.TRANSIENT, f"{_place(answer)} with something that is no JSON object", in_doubt=True)
    return _refusal(answer, body, grant, now)


def _object(answer: Answer) -> dict[str, Json] | None:
    try:
        body = answer.json()
    except BadAnswer:
        return None
    return body if isinstance(body, dict) else None


def _place(answer: Answer) -> str:
    return f"{answer.url} answered {answer.status}"


def _token(body: Mapping[str, Json], answer: Answer, now: datetime) -> Granted | Refusal:
    access = usable_token(body.get("access_token"))
    if access is None:
        return Refusal(Verdict.TRANSIENT, f"{_place(answer)} without a usable access_token", in_doubt=True)
    if str(body.get("token_type") or "bearer").strip().lower() != "bearer":
        problem = f"{_place(answer)} with a token_type other than bearer, which is the only one we can use"
        return Refusal(Verdict.CONFIGURATION, problem, in_doubt=True)
    refresh, scope = body.get("refresh_token"), body.get("scope")
    return Granted(
        access,
        Secret(refresh.strip()) if isinstance(refresh, str) and refresh.strip() else None,
        _told_life_s(body, http_date(answer.headers.get("date", "")) or now),
        scope if isinstance(scope, str) else None,
        _lifetime_s(body.get("refresh_token_expires_in", body.get("refresh_expires_in"))),
    )


def usable_token(text: Json) -> Secret | None:
    """Returns a token that can be sent as bearer, None where it is none."""
    stripped = text.strip() if isinstance(text, str) else ""
    return Secret(stripped) if _ACCESS_TOKEN.fullmatch(stripped) else None


def _told_life_s(body: Mapping[str, Json], server_now: datetime) -> float | None:
    """Returns a token's life from `expires_in`, or where that is no number, from `expires_at` by the server's clock."""
    life_s = _lifetime_s(body.get("expires_in"))
    if life_s is not None:
        return life_s
    end_s = _epoch_s(body.get("expires_at"))
    return None if end_s is None else _lifetime_s(end_s - server_now.timestamp())


def _lifetime_s(value: Json) -> float | None:
    """Returns seconds from a number or its text, 0 for what is below, None for what is no number."""
    life_s = _number(value)
    return None if life_s is None else min(max(life_s, 0.0), _MOST_LIFE_S)


def _epoch_s(value: Json) -> float | None:
    """Returns seconds since 1970 from a number of them or of milliseconds, or from an ISO time, UTC if none is said."""
    number = _number(value)
    if number is not None:
        return number / 1000.0 if number >= _MILLISECONDS else number
    try:
        moment = datetime.fromisoformat(value if isinstance(value, str) else "")
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _number(value: Json) -> float | None:
    """Returns a finite number or that of its text."""
    try:
        number = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _refusal(answer: Answer, body: dict[str, Json] | None, grant: Grant, now: datetime) -> Refusal:
    code = _code(body or {})
    verdict = _verdict(answer.status, code, grant, readable=body is not None)
    told = ": ".join(part for part in (code, _description(body or {})) if part)
    message = f"{_place(answer)}{' ' + told if told else ''} to grant {grant.name}"
    return Refusal(verdict, message, retry_after_s(answer.headers, now), code=code)


def _verdict(status: int, code: str, grant: Grant, *, readable: bool) -> Verdict:
    if status in _TRANSIENT_STATUSES or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Verdict.TRANSIENT
    if code in _PASSING and status not in _DENIALS:
        return Verdict.TRANSIENT
    if code in _CONFIGURATION:
        return Verdict.CONFIGURATION
    redirected = HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST and not code
    if redirected or (not readable and status != HTTPStatus.UNAUTHORIZED):
        return Verdict.TRANSIENT  # a proxy or firewall spoke, not the token endpoint
    refused = max(status, HTTPStatus.BAD_REQUEST)  # some refuse with 200
    return grant.verdict(refused, code)


def _code(body: Mapping[str, Json]) -> str:
    code = body.get("error")
    return redact(code) if isinstance(code, str) and _CODE.fullmatch(code) else ""


def _description(body: Mapping[str, Json]) -> str:
    text = body.get("error_description")
    shown = redact(" ".join(text.split())) if isinstance(text, str) else ""
    return shown if len(shown) <= _MOST_TEXT else f"{shown[:_MOST_TEXT]}…"


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Returns the seconds a Retry-After asks for (RFC 9110 section 10.2.3); None without a readable one."""
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    until = http_date(text)
    return max((until - now).total_seconds(), 0.0) if until else None


def http_date(text: str) -> datetime | None:
    """Returns the instant of an HTTP date, None where it is none."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # a year, or a zone, of twenty digits
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
