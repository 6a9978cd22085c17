"""Rules that hold for all inputs: which redirect URIs fit, and that no text passes as an assertion."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from worker.sandbox.consent import fits
from worker.sandbox.jwts import AssertionRefusedError, Assertions, Expected
from worker.sandbox.logins import DeviceLogin, Logins, LoginState

HOSTS = some.text("abc.-012789", min_size=1).filter(lambda text: text != "127.0.0.1")
PATHS = some.text("abc/-_", max_size=8).map(lambda text: f"/{text}")


@given(some.integers(1, 65535), PATHS)
def test_any_port_of_loopback_fits_and_no_other_path(port: int, path: str) -> None:
    """RFC 8252 7.3 and 8.10: the port is free, the rest is exact unless a star says otherwise."""
    for host in ("127.0.0.1", "[::1]"):
        assert fits(f"http://{host}:{port}{path}", f"http://{host}{path}")
        assert fits(f"http://{host}:{port}{path}", f"http://{host}/*")
        assert not fits(f"http://{host}:{port}{path}x", f"http://{host}{path}")
        assert not fits(f"https://{host}:{port}{path}", f"http://{host}{path}")


@given(HOSTS)
def test_no_other_host_fits(host: str) -> None:
    """Whatever it looks like."""
    assert not fits(f"http://{host}/callback", "http://127.0.0.1/*")
    assert not fits(f"http://127.0.0.1@{host}/callback", "http://127.0.0.1/*")


@given(some.text())
def test_no_text_is_an_assertion(text: str) -> None:
    """Refused in one way, whatever is wrong with it."""
    with pytest.raises(AssertionRefusedError, match="no JWT signed with a registered key"):
        Assertions().claims(text, Expected(("audience",)))


@given(some.lists(some.floats(0.0, 20.0), max_size=20))
def test_a_device_is_slowed_down_whenever_it_is_early(pauses: list[float]) -> None:
    """RFC 8628 3.5: early means within the interval since the last poll, and each time it grows by 5 seconds."""
    now = [0.0]
    logins = Logins(lambda: now[0])
    login = DeviceLogin("client", [], (), until=1e9, interval_s=5.0)
    assert logins.poll(login) is LoginState.PENDING
    interval = 5.0
    for pause in pauses:
        before = now[0]
        now[0] += pause
        early = now[0] - before < interval
        assert logins.poll(login) is (LoginState.SLOW_DOWN if early else LoginState.PENDING)
        interval += 5.0 * early
    assert login.interval_s == interval
