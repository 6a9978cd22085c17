"""The web server of a login against whatever else may call on it."""

import socket
from urllib.parse import urlsplit

import pytest
import requests

from worker.auth.loopback import CannotListen, Loopback
from worker.vault.secret import Secret

LOOPBACK = "http://127.0.0.1/callback"


def _post(url: str, body: bytes, **headers: str) -> int:
    with requests.Session() as session:
        session.trust_env = False
        given = {"Content-Type": "application/x-www-form-urlencoded", **headers}
        return session.post(url, data=body, headers=given, timeout=5).status_code


def _get(url: str) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        return session.get(url, timeout=5)


def test_what_is_secret_is_a_secret_and_the_rest_is_text() -> None:
    """So that no message shows a code, and any may show an error."""
    with Loopback(LOOPBACK, "s") as server:
        assert _get(f"{server.redirect_uri}?code=a-code-of-one-login&state=s&error=e").status_code == 200
        delivery = server.wait(5.0)

    assert delivery == {"code": Secret("a-code-of-one-login"), "state": "s", "error": "e"}
    assert "a-code-of-one-login" not in repr(delivery)


def test_another_page_cannot_hand_anything_over() -> None:
    """Another origin, another path, a method that the login does not use, or a body without bounds."""
    with Loopback(LOOPBACK, "s", fragment=True) as server:
        url = server.redirect_uri
        assert _post(url, b"state=s", Origin="https://evil.example.com") == 403
        assert _post(f"{url}/other", b"state=s") == 403
        assert _post(url, b"s" * 70_000) == 403
        assert server.wait(0.01) is None
        assert _post(url, b"state=s&access_token=a-token-of-one-login") == 200
        assert server.wait(5.0) is not None

    with Loopback(LOOPBACK, "s") as server:
        assert _post(server.redirect_uri, b"state=s&code=c") == 403


def test_who_does_not_know_the_state_does_not_end_the_login() -> None:
    """Any page that is open in the browser can knock where `redirect_url` has a fixed port."""
    with Loopback(LOOPBACK, "s") as server:
        url = server.redirect_uri
        asked = ("?anything=1", "?code=c&state=other", "?state=s&code=c", "?state=s&code=late")
        assert [_get(url + query).status_code for query in asked] == [403, 403, 200, 410]
        assert server.wait(5.0) == {"code": Secret("c"), "state": "s"}
        assert server.strange == 2


def test_a_connection_that_says_nothing_keeps_nobody_waiting() -> None:
    """Browsers open some in advance."""
    with Loopback(LOOPBACK, "s") as server:
        parts = urlsplit(server.redirect_uri)
        with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=5):
            assert _get(f"{server.redirect_uri}?state=s").status_code == 200


def test_only_this_machine_is_listened_to() -> None:
    """The address is a loopback one, whatever name it was given by."""
    for url in (LOOPBACK, "http://localhost/callback"):
        with Loopback(url, "s") as server:
            assert server._server.server_address[0] == "127.0.0.1"


def test_a_port_is_taken_once() -> None:
    """Nobody can listen beside us."""
    with Loopback(LOOPBACK, "s") as server, pytest.raises(CannotListen, match="cannot be listened on"):
        Loopback(server.redirect_uri, "s")
