"""Reading what a token endpoint answered."""

from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.contract import Answer
from worker.auth.answer import Granted, Refusal, http_date, read_answer, retry_after_s
from worker.auth.grants import PasswordGrant, RefreshGrant, Verdict
from worker.vault.secret import Secret

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LOGIN = PasswordGrant("u", Secret("a-password-of-tests"))
REFRESH = RefreshGrant(Secret("a-refresh-token-of-tests"))
ACCESS = "a.b-c_d~e+f/g=="
GOOD = {"access_token": ACCESS, "token_type": "Bearer", "expires_in": 3600}


def answer(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    """Returns an answer with this body, as JSON unless it is bytes."""
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return Answer(status, headers or {}, content, "https://idp.example.com/token")


def granted(body: object) -> Granted:
    """Returns the token in a good answer."""
    result = read_answer(answer(body), LOGIN, NOW)
    assert isinstance(result, Granted)
    return result


def refused(body: object, status: int = 200, login: bool = True, headers: dict[str, str] | None = None) -> Refusal:
    """Returns the refusal in a bad answer."""
    result = read_answer(answer(body, status, headers), LOGIN if login else REFRESH, NOW)
    assert isinstance(result, Refusal)
    return result


def test_a_good_answer() -> None:
    """Everything an answer says is read."""
    result = granted(GOOD | {"refresh_token": "r-1", "scope": "a b"})
    assert result == Granted(Secret(ACCESS), Secret("r-1"), 3600.0, "a b")


@pytest.mark.parametrize("kind", ["bearer", "BEARER", "Bearer ", None])
def test_token_type_in_any_case(kind: str | None) -> None:
    """Bearer is understood however it is written; a missing type is taken for it."""
    assert granted(GOOD | {"token_type": kind}).access == Secret(ACCESS)


@pytest.mark.parametrize("error", [None, ""])
def test_an_error_without_a_word_is_none(error: object) -> None:
    """Servers that write out every field say so beside a token: the refresh token must not pass for dead."""
    result = granted(GOOD | {"error": error, "error_description": None, "refresh_token": "r-2"})
    assert (result.access, result.refresh) == (Secret(ACCESS), Secret("r-2"))


def test_a_byte_order_mark_costs_no_token() -> None:
    """RFC 8259 section 8.1 lets a reader pass over it."""
    assert granted(b"\xef\xbb\xbf" + orjson.dumps(GOOD)).access == Secret(ACCESS)


def test_unknown_token_type_is_an_error() -> None:
    """A token of another type cannot be used, and asking again does not help."""
    result = refused(GOOD | {"token_type": "mac"})
    assert (result.verdict, result.in_doubt) == (Verdict.CONFIGURATION, True)
    assert "mac" not in result.message


def test_token_is_stripped() -> None:
    """A newline at the end of a token, which would break a header, is taken off."""
    assert granted(GOOD | {"access_token": " abc \n"}).access == Secret("abc")


@pytest.mark.parametrize("token", ["", " ", "a b", "a\nb", "tökén", "a\x00", None, 7, {"platform": "command"}, ["a"]])
def test_unusable_access_tokens(token: object) -> None:
    """What cannot stand in a header is no token; the server may have issued one."""
    result = refused(GOOD | {"access_token": token})
    assert (result.verdict, result.in_doubt) == (Verdict.TRANSIENT, True)


@pytest.mark.parametrize("token", ["", "  ", None, 7, {}])
def test_no_refresh_token(token: object) -> None:
    """What is no text is no refresh token."""
    assert granted(GOOD | {"refresh_token": token}).refresh is None


@pytest.mark.parametrize(
    ("value", "life_s"),
    [
        (7200, 7200.0),
        ("7199", 7199.0),
        ("3600.0", 3600.0),
        (0.5, 0.5),
        (0, 0.0),
        (-1, 0.0),
        ("-60", 0.0),
        ("1e300", 315_360_000.0),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        (None, None),
        (True, None),
        ([], None),
    ],
)
def test_lifetimes(value: object, life_s: float | None) -> None:
    """Numbers and their text are understood, below zero is zero, the rest is not said."""
    assert granted(GOOD | {"expires_in": value}).expires_in_s == life_s


@pytest.mark.parametrize(
    ("value", "life_s"),
    [
        (NOW.timestamp() + 60, 60.0),
        (str(int(NOW.timestamp()) + 60), 60.0),
        (NOW.timestamp() * 1000 + 60_000, 60.0),
        ("2026-11-23T12:01:00Z", 60.0),
        ("2026-11-23T13:01:00+01:00", 60.0),
        ("2026-11-23T12:01:00", 60.0),
        ("2026-11-23T11:00:00Z", 0.0),
        ("soon", None),
        (None, None),
        (True, None),
        ("9999-12-31T23:59:59-12:00", 315_360_000.0),
    ],
)
def test_end_in_place_of_a_lifetime(value: object, life_s: float | None) -> None:
    """Where expires_in is no number, expires_at counts: seconds or milliseconds since 1970, or an ISO time."""
    assert granted(GOOD | {"expires_in": None, "expires_at": value}).expires_in_s == life_s
    assert granted(GOOD | {"expires_at": value}).expires_in_s == 3600.0


@given(
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers(-(2**63), 2**63)
    | st.text()
    | st.datetimes().map(datetime.isoformat)
)
def test_any_end_is_a_life_or_none(value: object) -> None:
    """Whatever stands for the end, the life is within bounds or not said."""
    life_s = granted(GOOD | {"expires_in": None, "expires_at": value}).expires_in_s
    assert life_s is None or 0.0 <= life_s <= 315_360_000.0


def test_end_is_by_the_servers_clock() -> None:
    """A server whose clock is an hour ahead, and says so, still gives a token of one minute."""
    body = {"access_token": ACCESS, "expires_at": "2026-11-23T13:01:00Z"}
    told = answer(body, headers={"date": "Mon, 23 Nov 2026 13:00:00 GMT"})
    result = read_answer(told, LOGIN, NOW)
    assert isinstance(result, Granted)
    assert result.expires_in_s == 60.0


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)
    )
)
def test_no_body_breaks_the_reader(body: object) -> None:
    """Any JSON with any status becomes a token or a refusal."""
    for status in (200, 302, 400, 401, 403, 404, 429, 500):
        result = read_answer(answer(orjson.dumps(body, default=str), status), LOGIN, NOW)
        assert isinstance(result, Granted | Refusal)


@given(st.binary(max_size=60))
def test_no_bytes_become_a_token(body: bytes) -> None:
    """What is no JSON object with an access token is a refusal."""
    assert isinstance(read_answer(answer(body), LOGIN, NOW), Refusal)


@pytest.mark.parametrize(
    ("status", "body", "login", "verdict"),
    [
        (400, {"error": "invalid_grant"}, True, Verdict.REFUSED),
        (400, {"error": "invalid_grant"}, False, Verdict.DEAD),
        (400, {"error": "invalid_request"}, True, Verdict.REFUSED),
        (401, {"error": "server_error", "error_description": "access_denied"}, True, Verdict.REFUSED),
        (401, {"error": "server_error", "error_description": "access_denied"}, False, Verdict.DEAD),
        (401, {"error": "invalid_client"}, True, Verdict.CONFIGURATION),
        (401, {"error": "invalid_client"}, False, Verdict.CONFIGURATION),
        (400, {"error": "unauthorized_client"}, False, Verdict.CONFIGURATION),
        (400, {"error": "unsupported_grant_type"}, True, Verdict.CONFIGURATION),
        (400, {"error": "invalid_scope"}, False, Verdict.CONFIGURATION),
        (400, {"error": "temporarily_unavailable"}, True, Verdict.TRANSIENT),
        (400, {"error": "server_error"}, False, Verdict.TRANSIENT),
        (408, {}, False, Verdict.TRANSIENT),
        (429, {"error": "invalid_grant"}, True, Verdict.TRANSIENT),
        (500, {"error": "invalid_grant"}, True, Verdict.TRANSIENT),
        (503, b"<html>", True, Verdict.TRANSIENT),
        (403, b"<html>blocked by a firewall", True, Verdict.TRANSIENT),
        (401, b"no", True, Verdict.REFUSED),
        (302, b"", True, Verdict.TRANSIENT),
        (302, {}, True, Verdict.TRANSIENT),
        (307, {"message": "moved"}, False, Verdict.TRANSIENT),
        (404, {"status": 404}, False, Verdict.CONFIGURATION),
        (200, {"error": "invalid_grant"}, False, Verdict.DEAD),
        (200, b"<html>", False, Verdict.TRANSIENT),
    ],
)
def test_verdicts(status: int, body: object, login: bool, verdict: Verdict) -> None:
    """Status first, then the error code, then the grant decide."""
    assert refused(body, status, login).verdict is verdict


def test_only_a_good_status_leaves_doubt() -> None:
    """A refusal in so many words is no doubt; a success that cannot be read is."""
    assert not refused({"error": "invalid_grant"}, 400).in_doubt
    assert refused(b"{", 200).in_doubt


def test_error_text_is_bounded_and_masked() -> None:
    """Of a body, only the error code and a short, masked description are told."""
    secret = Secret("canary-of-the-description-1")
    body = {
        "error": "invalid_grant",
        "error_description": f"no\n {secret.reveal()} {'y' * 1000}",
        "password": "canary-elsewhere",
    }
    message = refused(body, 400).message
    assert "invalid_grant" in message
    assert secret.reveal() not in message
    assert "canary-elsewhere" not in message
    assert "\n" not in message
    assert len(message) < 400


@pytest.mark.parametrize("code", [7, "x" * 100, 'a"b', "a\nb", None, {}])
def test_odd_error_codes_are_not_told(code: object) -> None:
    """An error code outside the RFC's characters or bound is left out."""
    assert refused({"error": code}, 400).message.startswith("https://idp.example.com/token answered 400 to grant")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("Mon, 23 Nov 2026 12:01:00 GMT", 60.0),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1" * 400, None),
        (f"Mon, 23 Nov {'9' * 20} 12:00:00 GMT", None),
        (f"Mon, 23 Nov 2026 12:00:00 +{'9' * 14}", None),
    ],
)
def test_retry_after(text: str, seconds: float | None) -> None:
    """Seconds and dates are read, the past is now, the rest is nothing."""
    assert retry_after_s({"retry-after": text}, NOW) == seconds
    assert refused({}, 503, headers={"retry-after": text}).retry_after_s == seconds


@given(st.text(max_size=40))
def test_no_date_breaks_the_reader(text: str) -> None:
    """Any header value is a date or none."""
    moment = http_date(text)
    assert moment is None or moment.tzinfo is not None
