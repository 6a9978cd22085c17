"""The redactor lets no known secret through, and leaves the rest as it is."""

import base64
import copy
import html
import json
import random
import re
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from worker.vault import redact as redactor
from worker.vault import shapes
from worker.vault.known import Known
from worker.vault.redact import MASK, forms, redact, redact_value
from worker.vault.secret import Secret

VALUE = 'pä ss/+wörd&="x"\\1'
SPELLINGS: dict[str, Callable[[str], str]] = {  # written independently of `forms`, so that each checks the other
    "raw": str,
    "quote": quote,
    "quote all": lambda value: quote(value, safe=""),
    "quote, lower case": lambda value: re.sub("%..", lambda m: m[0].lower(), quote(value)),
    "quote_plus": quote_plus,
    "query": lambda value: urlencode({"q": value}),
    "query in query": lambda value: urlencode({"u": urlencode({"q": value})}),
    "JSON": json.dumps,
    "JSON, not ASCII": lambda value: json.dumps(value, ensure_ascii=False),
    "JSON in JSON": lambda value: json.dumps({"body": json.dumps({"v": value})}),
    "PHP": lambda value: json.dumps(value).replace("/", "\\/"),
    "repr": repr,
    "repr of bytes": lambda value: repr(value.encode()),
    "HTML": html.escape,
    "hex": lambda value: value.encode().hex(),
    "HEX": lambda value: value.encode().hex().upper(),
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64url": lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
    "base64, no padding": lambda value: base64.b64encode(value.encode()).decode().rstrip("="),
    "base64 behind 1": lambda value: base64.b64encode(b"u" + value.encode() + b"!").decode(),
    "base64 behind 2": lambda value: base64.b64encode(b"u:" + value.encode() + b"!").decode(),
    "base64 behind 3": lambda value: base64.urlsafe_b64encode(b"us:" + value.encode() + b"!!").decode(),
    "base64 of the URL form": lambda value: base64.b64encode(f"id:{quote_plus(value)}".encode()).decode(),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_of_a_live_secret_is_masked(spelling: str) -> None:
    """A secret is found however it is written, wherever it stands."""
    secret = Secret(VALUE)
    written = SPELLINGS[spelling](secret.reveal())
    for before in ("", "a", "ab", "abc", "abcd"):
        shown = redact(f"{before} {written} end")
        assert MASK in shown
        assert not any(form in shown for form in forms(VALUE))
    assert any(form in written for form in forms(VALUE)), "the test's own search must see it as well"


@given(st.text(min_size=8, max_size=60), st.text(max_size=40), st.text(max_size=40))
@example("00000000", "0000", "0000")
@example("\udcff" * 8, "", "\udcff")
def test_no_known_secret_passes(value: str, before: str, after: str) -> None:
    """Whatever the secret and whatever stands around it, it is not in the output."""
    known = Known()
    known.remember(value)
    text = before + value + after
    spans = known.spans(text)
    assert known.may_hold(text.encode("utf-8", "surrogatepass"))
    assert (len(before), len(before) + len(value)) in spans
    if value.strip(MASK):
        assert value not in redactor._masked(text, spans)


def test_overlapping_secrets_are_masked_together() -> None:
    """No part of either stays where two secrets share characters."""
    kept = [Secret("alpha-omega-1"), Secret("omega-1-delta")]
    assert redact("<alpha-omega-1-delta>") == f"<{MASK}>"
    assert len(kept) == 2


def test_masking_is_done_after_one_pass() -> None:
    """Redacting what is redacted changes nothing."""
    kept = Secret("canary-one-pass-7781")
    texts = [
        f"x {kept.reveal()} y",
        "Authorization: Bearer abcdef123456",
        "a://u:pw@h/?token=abc&x=1",
        '{"password": "a"}',
    ]
    for text in texts:
        assert redact(redact(text)) == redact(text) != text


SHAPES = {
    "sent Authorization: Bearer abc.DEF-123~x/y+z==": "abc.DEF",
    "bearer%20abcdef1234": "abcdef1234",
    "Basic dXNlcjpwYXNzd29yZA==": "dXNlcjpwYXNzd29yZA",
    "basic dXNlcjpwYXNz": "dXNlcjpwYXNz",
    "got eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.c2lnbmF0dXJl back": "c2lnbmF0dXJl",
    "postgresql://worker:hunter2@db/x": "hunter2",
    "redis://:hunter2@db/x": "hunter2",
    "https://h/p?access_token=abc123&limit=5": "abc123",
    "https://h/p?limit=5&refresh_token=abc123": "abc123",
    "grant_type=password&username=u&password=abc123": "abc123",
    "client_secret=abc123": "abc123",
    "code=SplxlOBeZQQYbYS6WxSbIA&state=1": "SplxlOBe",
    "assertion=abc123": "abc123",
    "?u=https%3A%2F%2Fh%3Faccess_token%3Dabc123": "abc123",
    "?api_key=abc123": "abc123",
    "code=password=abc123": "abc123",
    "eyJx eyJhbGciOiJub25lIn0 eyJhbGciOiJub25lIn0.c2lnbmF0dXJl": "c2lnbmF0dXJl",
    "?key=AIzaSyA1234567890abcdef": "AIzaSyA1",
    'password="two words"': "two words",
    '{"access_token": "abc123", "x": 1}': "abc123",
    '{"client_secret":"abc\\"123"}': "123",
    "{'password': 'abc123'}": "abc123",
    '{"pin": 1, "password": 12345}': "12345",
    '"{\\"refreshToken\\": \\"abc123\\"}"': "abc123",
    '{"refresh_token": "cut off here abc12': "abc12",
    "failed: Authorization: Custom abc123": "abc123",
    "X-API-Key: abc123\r\nAccept: */*": "abc123",
    "Set-Cookie: JSESSIONID=abc123; Path=/": "abc123",
}


@pytest.mark.parametrize(("text", "secret"), SHAPES.items())
def test_what_looks_like_a_secret_is_masked(text: str, secret: str) -> None:
    """A secret that nobody registered is known by its shape or by the name beside it."""
    assert shapes.marked(text) or '"' in text
    shown = redact(text)
    assert secret not in shown
    assert MASK in shown


PLAIN = [
    "",
    "run.finished",
    "Basic authentication failed at basic level",
    'WWW-Authenticate says Bearer realm="api", error="invalid_token"',
    "the bearer token was refused",
    "https://api.example.com/v1/devices?limit=100&offset=200&status=open",
    "mailto jane@example.com about https://h/p?email=jane@example.com",
    "postgresql://worker@db/x",
    '{"status": 400, "code": "invalid_request", "token_type": "Bearer"}',
    "command://svc-sync",
    "code=200 key=id",
    "next_page_token=abc&token_url=https://h/token",
    "ValueError: expected 100% of 3 = x",
    "zażółć gęślą jaźń",
]


@pytest.mark.parametrize("text", PLAIN)
def test_what_is_no_secret_stays(text: str) -> None:
    """Messages and URLs stay readable."""
    assert redact(text) == text


@pytest.mark.parametrize(
    "piece", ["a", '"a":', '"token":"', '"token":\\"', "a=", "password=", "bearer ", "eyJ", "://a:", "cookie: ", "\\"]
)
def test_long_hostile_texts_take_linear_time(piece: str) -> None:
    """A body of a quarter of a million characters made to confuse costs well under two seconds of CPU."""
    started = time.process_time()
    redact(piece * (250_000 // len(piece)))
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("password", True),
        ("client_secret", True),
        ("clientSecret", True),
        ("Authorization", True),
        ("x-api-key", True),
        ("X-UserToken", True),
        ("refresh_token", True),
        ("Set-Cookie", True),
        ("db.password", True),
        ("token_generation", False),
        ("token_url", False),
        ("tokens", False),
        ("generation", False),
        ("secret_fingerprint", False),
        ("next_page_token", False),
        ("key", False),
        ("author", False),
        ("code", False),
    ],
)
def test_names_say_what_is_secret(name: str, secret: bool) -> None:
    """A field's name decides; counters and addresses that only mention tokens are left alone."""
    assert shapes.sensitive(name) is secret
    assert redact_value({name: "abc"}) == {name: MASK if secret else "abc"}
    assert redact_value({"deep": [{name: "abc"}]}) == {"deep": [{name: MASK if secret else "abc"}]}


def test_values_are_masked_at_every_depth() -> None:
    """Dictionaries, lists, tuples, sets, bytes, keys, exceptions and objects are all looked through."""
    kept = Secret("canary-depth-55102")
    value = kept.reveal()

    class Thing:
        def __str__(self) -> str:
            return f"thing with {value}"

    given = {
        "list": [value, {"x": value}],
        "tuple": (1, value),
        "set": {value},
        "bytes": value.encode(),
        value: "as a key",
        "error": ValueError(value),
        "thing": Thing(),
        "pair": [("X-API-Key", "short")],
        "none": None,
        "password": None,
        "has_token": True,
        b"authorization": "x",
        7: 7,
    }
    shown = redact_value(given)
    assert value not in repr(shown)
    assert "short" not in repr(shown)
    assert (shown["tuple"], shown["bytes"], shown["password"], shown[7]) == (
        (1, MASK),
        MASK.encode(),
        None,
        7,
    )
    assert shown["has_token"] is True
    assert shown["thing"] == f"thing with {MASK}"


def test_a_number_or_an_identifier_can_be_a_secret() -> None:
    """A secret that looks like a number is masked where it was logged as one."""
    number, identifier = "4711081512345", str(uuid.uuid4())
    kept = [Secret(number), Secret(identifier)]
    shown = redact_value({"pin": int(number), "id": uuid.UUID(identifier), "other": 12})
    assert shown == {"pin": MASK, "id": MASK, "other": 12}
    assert len(kept) == 2


def test_a_clean_value_comes_back_itself() -> None:
    """The common case makes no copy."""
    clean = {
        "event": "run.finished",
        "n": 1,
        "at": datetime(2026, 1, 1, tzinfo=UTC),
        "nested": {"read": 3, "items": [1, "two"]},
    }
    assert redact_value(clean) is clean


def test_nothing_is_changed_in_place() -> None:
    """The argument is as it was, also where something was masked."""
    given = {"a": [{"password": "x"}, ("token", "y")], "b": {"c": ["Bearer abcdef123"]}}
    before = copy.deepcopy(given)
    assert redact_value(given) == {"a": [{"password": MASK}, ("token", MASK)], "b": {"c": [f"Bearer {MASK}"]}}
    assert given == before


def test_endless_and_hostile_values_end() -> None:
    """Circles, great depth and objects whose own code fails cost at most themselves."""
    circle: list[Any] = ["x"]
    circle += [circle, circle]
    deep: Any = "end"
    for _ in range(5000):
        deep = [deep]

    class Hostile:
        def __str__(self) -> str:
            raise RuntimeError("no")

    assert redact_value(circle) == ["x", MASK, MASK]
    assert "end" not in repr(redact_value(deep))
    assert redact_value({"h": Hostile()}) == MASK
    assert redact_value({"n": 10**5000}) == MASK
    assert redact_value({"s": "\ud800"}) == {"s": "\ud800"}


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@given(_json, st.text(alphabet="abc\"'\\/é ", min_size=8, max_size=12))
def test_a_planted_secret_is_found_in_any_document(document: object, value: str) -> None:
    """Whatever surrounds it, a secret in a document is masked, and the document stays one."""
    kept = Secret(value)
    planted = {"other": document, "field": f"<{kept.reveal()}>", "more": [document, value]}
    shown = redact_value(planted)
    assert shown["field"] == f"<{MASK}>"
    assert shown["more"][1] == MASK
    assert isinstance(json.dumps(shown), str)


_scalar = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=20)
    | st.sampled_from(
        ["https://a.test/x?limit=5&token=abcdef123", "Bearer abcdef123456", "password=hunter22", "a: b", "50% of it"]
    )
)


@given(st.dictionaries(st.text(max_size=12) | st.sampled_from(["password", "x=y", "url"]), _scalar, max_size=6))
def test_the_quick_way_masks_what_the_thorough_one_does(fields: dict[str, object]) -> None:
    """A log line's flat fields are looked at together where that is enough; the result is the same."""
    assert redact_value(fields) == redactor._walked(fields, ())


def test_memory_is_bounded_and_live_secrets_stay() -> None:
    """Of secrets no longer in use only the newest are kept; those in use are never forgotten."""
    known = Known(past_values=10, past_characters=10_000)
    known.remember("client-secret-in-use")
    for number in range(1000):
        known.remember(f"token-number-{number:06}")
        known.release(f"token-number-{number:06}")
    assert len(known) == 12  # ten of the past, one in use, one whose release the next secret will settle
    assert known.spans("client-secret-in-use")
    assert known.spans("token-number-000995")
    assert not known.spans("token-number-000500")
    assert len(known._index) < 1000


def test_long_tokens_count_by_length() -> None:
    """A few long tokens of the past take the room of many short ones."""
    known = Known(past_values=1000, past_characters=5000)
    for number in range(100):
        known.remember(f"{number:04}" * 250)
        known.release(f"{number:04}" * 250)
    assert len(known) <= 6


def test_a_forgotten_secret_leaves_the_spellings_of_others() -> None:
    """Two secrets that share a spelling are forgotten one by one."""
    known = Known(past_values=0)
    known.remember("one/two/three")
    known.remember(quote("one/two/three", safe=""))
    known.release("one/two/three")
    known.remember("something-new")
    assert not known.spans("one/two/three")
    assert known.spans("one%2Ftwo%2Fthree")


def test_secrets_come_and_go_while_others_log() -> None:
    """Threads that make secrets do not disturb threads that redact."""
    kept = Secret("canary-threads-31337")
    stop = threading.Event()

    def rotate() -> None:
        chance = random.Random(7)
        while not stop.is_set():
            Secret(f"rotating-{chance.getrandbits(64):x}")

    def leaks() -> int:
        return sum(kept.reveal() in redact(f"call with {kept.reveal()} sent") for _ in range(2000))

    with ThreadPoolExecutor() as pool:
        rotating = pool.submit(rotate)
        counts = [pool.submit(leaks) for _ in range(3)]
        assert [count.result() for count in counts] == [0, 0, 0]
        stop.set()
        rotating.result()


def test_forms_of_nothing_are_none() -> None:
    """An empty value has no spelling, or everything would be masked."""
    assert forms("") == frozenset()
    assert "abcdefgh" in forms("abcdefgh")
