"""URLs: what may be called, and how they are shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.contract import Answer
from worker.model.records import Purpose
from worker.model.urls import is_loopback
from worker.vault.secret import Secret
from worker.wire.redirects import destination
from worker.wire.target import BadTarget, origin_of, parse, shown, with_params


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://API.example.com/x", "https://api.example.com"),
        ("https://api.example.com:443", "https://api.example.com"),
        ("https://api.example.com:8443/", "https://api.example.com:8443"),
        ("http://127.0.0.1:80/a", "http://127.0.0.1"),
        ("http://[::1]:8080/a", "http://[::1]:8080"),
        ("https://bücher.example/", "https://xn--bcher-kva.example"),
    ],
)
def test_origin_is_scheme_host_and_unusual_port(url: str, origin: str) -> None:
    """Spellings of one origin come to the same text."""
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    "url",
    [
        "https://user@api.example.com/",
        "https://api.example.com@evil.example/",
        "https://api.example.com\\@evil.example/",
        "https://api.example.com/a\r\nHost: evil.example",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "//evil.example/",
        "https:///path",
        "https://api.example.com:port/",
        "https://api example.com/",
        "https://[::1/",
        "",
    ],
)
def test_unsafe_url_is_refused(url: str) -> None:
    """User names, line breaks, backslashes, other schemes and broken hosts are refused."""
    with pytest.raises(BadTarget):
        parse(url)


@given(st.text(max_size=60))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    """No text brings another error than BadTarget, and what is parsed has one origin in clear parts."""
    for url in (text, f"https://{text}", f"https://api.example.com/{text}"):
        try:
            target = parse(url)
        except BadTarget:
            continue
        assert parse(target.origin + target.path_and_query) == target
        assert target.path.startswith("/")
        assert not target.path.startswith("//")
        assert target.path_and_query.isascii()
        assert not set(target.path_and_query) & set(" \r\n\t\0")


def test_path_in_an_url_stays_on_its_host() -> None:
    """Two slashes at the begin of a path do not become a host."""
    assert parse("https://api.example.com//evil.example/x").path_and_query == "/evil.example/x"


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("10.0.0.1", False),
        ("localhost.example.com", False),
    ],
)
def test_loopback_is_told_from_the_rest(host: str, here: bool) -> None:
    """Only addresses of this machine and the name localhost count."""
    assert is_loopback(host) is here


def test_params_come_behind_the_query_of_a_link() -> None:
    """A next link keeps its own query as it stands."""
    target = parse("https://api.example.com/items?after=a%2Bb&n=1")
    assert with_params(target, {"q": "x y&z"}) == "/items?after=a%2Bb&n=1&q=x%20y%26z"


def test_shown_url_masks_what_is_secret() -> None:
    """Secrets, parameters named like one, and known values are masked; harmless ones are told."""
    known = Secret("known-secret-canary-1")
    target = parse("https://api.example.com/items?api_key=inline-canary-2&limit=5")
    url = shown(target, {"x": Secret("canary-secret-3"), "note": known.reveal(), "code": "4"}, bare=False)
    assert url == "https://api.example.com/items?api_key=***&limit=5&x=***&note=***&code=***"


def test_bare_url_has_no_query() -> None:
    """A token request's query is dropped whole."""
    target = parse("https://api.example.com/token?a=1")
    assert shown(target, {"b": "2"}, bare=True) == "https://api.example.com/token"


def test_shown_url_is_bounded() -> None:
    """A long query does not make a long row."""
    assert len(shown(parse("https://a.example/"), {"q": "x" * 9000}, bare=False)) == 2000


def test_a_redirect_that_names_no_url_is_refused_in_words() -> None:
    """The standard library's error would end the run as a fault of the worker."""
    answer = Answer(302, {"location": "http://[x"}, b"", "https://api.example.com/x")
    told = destination("https://api.example.com/x", answer, Purpose.READ)
    with pytest.raises(BadTarget):
        parse(told or "")
