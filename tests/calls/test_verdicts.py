"""The API's own words: found, bounded, masked."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.contract import Answer
from worker.auth.rejection import is_rejected
from worker.calls.verdicts import failed, told
from worker.vault.secret import Secret


def answered(body: bytes, status: int = 400, **headers: str) -> Answer:
    """Returns an answer with that body."""
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, body, "https://a/b")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"status": 400, "id": "abc-1", "errorCode": "E42", "message": "no such"}, "E42: no such: occurrence abc-1"),
        ({"error": {"message": "Invalid table", "detail": "x y"}, "status": "failure"}, "Invalid table: x y"),
        ({"error": "invalid_request", "error_description": "bad"}, "invalid_request: bad"),
        ({"title": "Not found", "detail": "gone"}, "Not found: gone"),
        ({"message": "two\r\nlines\u001b[31m"}, "two lines [31m"),
        ({"message": {"deep": 1}}, ""),
        ({"message": ""}, ""),
        ([1], ""),
        ("text", ""),
    ],
)
def test_own_words_of_known_shapes_are_found(body: object, text: str) -> None:
    """Tangoe, ServiceNow, OAuth and problem details; anything else is left alone."""
    assert told(answered(orjson.dumps(body))) == text


def test_own_words_are_masked_and_bounded() -> None:
    """An API that echoes the token does not bring it into an error; a novel is cut."""
    secret = Secret("canary-verdict-88aa11")
    text = told(answered(orjson.dumps({"message": f"bad token {secret.reveal()} " + "x" * 900})))
    assert secret.reveal() not in text
    assert len(text) == 300


def test_html_is_told_as_such() -> None:
    """A login page is not quoted."""
    assert told(answered(b"<!DOCTYPE html><HTML>secret")) == "an HTML page"


@given(st.binary(max_size=500))
def test_no_body_brings_an_error(body: bytes) -> None:
    """Whatever an API sends, the text is one bounded line."""
    text = failed(answered(body), "GET https://a/b (account a)", 1)
    assert "\n" not in text
    assert len(text) < 500


def test_small_scope_is_no_bad_token() -> None:
    """A new token would be as small."""
    challenge = 'Bearer error="insufficient_scope"'
    assert is_rejected(answered(b"", 403), (401, 403))
    assert not is_rejected(answered(b"", 403, www_authenticate=challenge), (401, 403))
    assert not is_rejected(answered(b"", 403), (401,))
