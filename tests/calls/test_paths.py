"""Paths stay under their base."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.calls.paths import absolute
from worker.model.errors import CallRefused
from worker.wire.target import BadTarget, origin_of

BASE = "https://api.example.com/base/v1"


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("devices", f"{BASE}/devices"),
        ("/devices/1?x=..%2F", f"{BASE}/devices/1?x=..%2F"),
        ("", f"{BASE}/"),
        ("orders:search", f"{BASE}/orders:search"),
        ("a..b/c", f"{BASE}/a..b/c"),
        ("https://other.example/x", "https://other.example/x"),
    ],
)
def test_path_is_joined_to_the_base(path: str, url: str) -> None:
    """With or without a slash at its begin; a whole URL stays what it is."""
    assert absolute(BASE, path, "a") == url


@pytest.mark.parametrize(
    "path",
    [
        "../admin",
        "a/../../b",
        "a/%2e%2e/b",
        "a/..",
        "..\\b",
        "a\\..\\b",
        "//evil.example/x",
        "\\\\evil.example",
        "..%2fa",
        "https://api.example.com/base/../x",
    ],
)
def test_way_up_or_out_is_refused(path: str) -> None:
    """Neither dots nor slashes lead out of the base."""
    with pytest.raises(CallRefused):
        absolute(BASE, path, "a")


@given(st.text(max_size=50))
def test_no_relative_path_changes_the_origin(path: str) -> None:
    """Whatever is joined, the origin is the base's, unless a whole URL was given."""
    try:
        origin = origin_of(absolute(BASE, path, "a"))
    except (CallRefused, BadTarget):
        return
    assert origin == "https://api.example.com" or path.lower().startswith(("http://", "https://"))
