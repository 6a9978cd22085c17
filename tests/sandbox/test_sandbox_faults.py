"""Faults on demand: each kind over real HTTP, whom it meets, and whether the sandbox acted."""

import gzip
import http.client
import threading
import time
import zlib
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from tests.sandbox.calling import Caller, Make
from worker.sandbox.faults import KINDS, Fault
from worker.sandbox.mislead import PLAYERS
from worker.sandbox.options import SandboxOptions


def _raw(caller: Caller, path: str, headers: dict[str, str]) -> http.client.HTTPResponse:
    """Returns the answer to a GET as it came: no decoding, no checks; the caller closes its connection."""
    connection = http.client.HTTPConnection(urlsplit(caller.sandbox.url).netloc, timeout=10)
    connection.request("GET", path, headers=headers | {"Connection": "close"})
    answer = connection.getresponse()
    connection.close()
    return answer


def test_status_comes_in_the_dialect_asked(caller: Caller) -> None:
    """Any status, with Retry-After, further headers and the error body of the API that was called."""
    headers = caller.tangoe_headers()
    caller.sandbox.fault(Fault("status", status=429, retry_after=7, headers={"X-RateLimit-Limit": "100"}, times=2))
    limited = caller.tangoe("/ping", headers)
    assert (limited.status_code, limited.headers["Retry-After"]) == (429, "7")
    assert limited.headers["X-RateLimit-Limit"] == "100"
    assert limited.json()["errorCode"] == "TOO_MANY_REQUESTS"
    assert "error" in caller.now_token().json()
    caller.sandbox.fault(Fault("status", path="/api/"))
    answer = caller.now("/table/incident")
    assert (answer.status_code, answer.json()["status"]) == (503, "failure")
    caller.sandbox.fault(Fault("status", status=200, body={"error": {"message": "Transaction cancelled"}}))
    assert caller.tangoe("/ping", headers).json() == {"error": {"message": "Transaction cancelled"}}
    assert caller.tangoe("/ping", headers).status_code == 200


def test_an_unknown_status_has_a_body_too(caller: Caller) -> None:
    """A status that no list names is answered all the same."""
    headers = caller.tangoe_headers()
    caller.sandbox.fault(Fault("status", status=599))
    assert caller.tangoe("/ping", headers).json()["errorCode"] == "UNKNOWN"


@pytest.mark.parametrize("status", [200, 401])
def test_html_is_a_login_page(caller: Caller, status: int) -> None:
    """HTML where JSON was wanted."""
    caller.sandbox.fault(Fault("html", path="/mobproc", status=status))
    answer = caller.tangoe("/ping")
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
    assert "<form" in answer.text


def test_truncate_sends_less_than_it_says(caller: Caller) -> None:
    """Content-Length is that of the whole; half comes, then the connection ends."""
    headers = caller.tangoe_headers()
    whole = caller.tangoe("/orders", headers).content
    caller.sandbox.fault(Fault("truncate", path="/mobproc", times=2))
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        caller.tangoe("/orders", headers)
    answer = _raw(caller, "/mobproc/v1/orders", headers)
    assert int(answer.headers["Content-Length"]) == len(whole)
    with pytest.raises(http.client.IncompleteRead) as cut:
        answer.read()
    assert whole.startswith(cut.value.partial)


def test_truncate_gzip_ends_early_with_the_right_length(caller: Caller) -> None:
    """The length is right, so only who checks the end of the gzip stream notices; requests does not."""
    headers = caller.tangoe_headers()
    caller.sandbox.fault(Fault("truncate_gzip", path="/mobproc"))
    answer = _raw(caller, "/mobproc/v1/orders", headers)
    packed = answer.read()
    assert len(packed) == int(answer.headers["Content-Length"])
    stream = zlib.decompressobj(wbits=31)
    assert stream.decompress(packed).startswith(b'{"_meta"')
    assert not stream.eof
    with pytest.raises(EOFError):
        gzip.decompress(packed)


def test_malformed_json_is_whole_and_wrong(caller: Caller) -> None:
    """The body ends in the middle of an object."""
    caller.sandbox.fault(Fault("malformed_json", path="/mobproc"))
    answer = caller.tangoe("/orders")
    assert answer.status_code == 200
    with pytest.raises(requests.exceptions.JSONDecodeError):
        answer.json()


def test_huge_streams_without_end_in_sight(caller: Caller) -> None:
    """300 MB are announced; what is read of it is JSON so far. Smaller ones come whole."""
    headers = caller.tangoe_headers()
    caller.sandbox.fault(Fault("huge", path="/mobproc"))
    url = f"{caller.sandbox.tangoe_url}/orders"
    with requests.get(url, headers=headers, stream=True, timeout=10) as answer:
        assert answer.headers["Content-Length"] == "300000000"
        assert next(answer.iter_content(1000)).startswith(b"[ ")
    caller.sandbox.fault(Fault("huge", path="/mobproc", size=200_001))
    whole = caller.tangoe("/orders", headers)
    assert (len(whole.content), whole.json()) == (200_001, [])


def test_gzip_bomb_is_small_until_opened(caller: Caller) -> None:
    """A few kilobytes inflate to as many megabytes as asked for."""
    headers = caller.tangoe_headers()
    caller.sandbox.fault(Fault("gzip_bomb", path="/mobproc", size=5_000_000))
    answer = _raw(caller, "/mobproc/v1/orders", headers)
    packed = answer.read()
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(packed) < 10_000
    assert len(gzip.decompress(packed)) == 5_000_000


def test_drip_sends_a_byte_at_a_time(caller: Caller) -> None:
    """Each read timeout is kept and yet the whole takes bytes times the interval."""
    headers = caller.tangoe_headers()
    whole = len(caller.tangoe("/ping", headers).content)
    caller.sandbox.fault(Fault("drip", path="/mobproc", seconds=0.002))
    begin = time.monotonic()
    answer = caller.tangoe("/ping", headers)
    assert time.monotonic() - begin >= whole * 0.002
    assert answer.json()["echoText"] == ""


def test_delay_waits_and_then_acts(caller: Caller) -> None:
    """A slow answer is a good one."""
    headers = caller.tangoe_headers()
    caller.sandbox.fault(Fault("delay", path="/mobproc", seconds=0.05))
    begin = time.monotonic()
    assert caller.tangoe("/ping", headers).status_code == 200
    assert time.monotonic() - begin >= 0.05


def test_drop_closes_without_acting(caller: Caller) -> None:
    """No answer, and the refresh token is still good."""
    refresh = caller.tangoe_token().json()["refresh_token"]
    caller.sandbox.fault(Fault("drop", grant_type="refresh_token"))
    with pytest.raises(requests.ConnectionError):
        caller.refreshed(refresh)
    assert caller.sandbox.calls()[-1].status is None
    assert caller.refreshed(refresh).status_code == 200


def test_a_lost_answer_has_acted(caller: Caller) -> None:
    """No answer, and yet the refresh token is spent and a row is imported."""
    refresh = caller.tangoe_token().json()["refresh_token"]
    caller.sandbox.fault(Fault("lost_answer", grant_type="refresh_token"))
    with pytest.raises(requests.ConnectionError):
        caller.refreshed(refresh)
    lost = caller.sandbox.token_requests()[-1]
    assert (lost.status, lost.token_issued, lost.fault) == (None, 2, "lost_answer")
    assert caller.refreshed(refresh).status_code == 400
    caller.sandbox.fault(Fault("lost_answer", path="/api/now/import"))
    with pytest.raises(requests.ConnectionError):
        caller.now("/import/u_things", "POST", {"u_id": "1"})
    assert caller.sandbox.counts()["u_things"] == 1


@pytest.mark.parametrize("status", [302, 307, 308])
def test_redirect_points_elsewhere(caller: Caller, status: int) -> None:
    """The location given, under each status."""
    headers = caller.tangoe_headers()
    caller.sandbox.fault(Fault("redirect", status=status, location="http://127.0.0.2:1/elsewhere"))
    url = f"{caller.sandbox.tangoe_url}/ping"
    answer = requests.get(url, headers=headers, allow_redirects=False, timeout=10)
    assert (answer.status_code, answer.headers["Location"]) == (status, "http://127.0.0.2:1/elsewhere")


@pytest.mark.parametrize("status", [200, 202])
def test_empty_has_no_body(caller: Caller, status: int) -> None:
    """A good status and nothing else."""
    headers = caller.tangoe_headers()
    caller.sandbox.fault(Fault("empty", status=status))
    answer = caller.tangoe("/ping", headers)
    assert (answer.status_code, answer.content) == (status, b"")


@pytest.mark.parametrize("value", [0, -5, "3600", "soon", 1.5, None, [1]])
def test_expires_in_can_be_any_value(caller: Caller, value: object) -> None:
    """The token answer carries the value; API calls are not met."""
    caller.sandbox.fault(Fault("expires_in", value=value))
    caller.sandbox.fault(Fault("no_expires"))
    caller.sandbox.fault(Fault("no_refresh_token"))
    assert caller.tangoe_token().json()["expires_in"] == value
    second = caller.tangoe_token().json()
    assert "expires_in" not in second
    third = caller.tangoe_token().json()
    assert "refresh_token" not in third
    assert caller.tangoe("/ping", caller.tangoe_headers(third["access_token"])).status_code == 200


def test_echo_token_repeats_what_it_was_sent(caller: Caller) -> None:
    """A careless server: bearer, password and refresh token come back in the error."""
    token = caller.tangoe_token().json()["access_token"]
    caller.sandbox.fault(Fault("echo_token", times=2))
    answer = caller.tangoe("/ping", caller.tangoe_headers(token))
    assert answer.status_code == 400
    assert token in answer.text
    assert caller.who.tangoe_password in caller.tangoe_token().text


def test_every_kind_is_played_by_somebody() -> None:
    """The list of kinds and the players agree, and some test of this room names each kind."""
    text = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_sandbox_*.py"))
    assert sorted(PLAYERS) == sorted(KINDS)
    assert [kind for kind in sorted(KINDS) if f'Fault("{kind}"' not in text] == []


def test_matching_by_path_method_grant_and_count(caller: Caller) -> None:
    """`after` lets some through, `times` ends it, and only what matches is counted."""
    headers = caller.tangoe_headers()
    caller.sandbox.fault(Fault("status", path="/mobproc/v1/orders", method="get", after=1, times=2))
    caller.sandbox.fault(Fault("status", method="POST", grant_type="refresh_token", times=None))
    assert [caller.tangoe("/orders", headers).status_code for _ in range(4)] == [200, 503, 503, 200]
    assert caller.tangoe("/ping", headers).status_code == 200
    assert caller.tangoe_token().status_code == 200
    assert [caller.refreshed("x").status_code for _ in range(3)] == [503] * 3
    first, second = caller.sandbox.faults()
    assert (first["met"], first["played"], second["played"]) == (3, 2, 3)
    assert caller.sandbox.clear_faults() == 2
    assert caller.refreshed("x").status_code == 400


def test_control_pages_meet_no_fault(caller: Caller) -> None:
    """A fault without a path leaves /_sandbox alone."""
    caller.sandbox.fault(Fault("drop", times=None))
    assert caller.control("GET", "/faults").json()[0]["kind"] == "drop"


@pytest.mark.parametrize(
    "data",
    [
        {},
        [],
        "drop",
        {"kind": "magic"},
        {"kind": "drop", "tmies": 1},
        {"kind": "redirect"},
        {"kind": "drop", "times": "x"},
    ],
)
def test_what_is_no_fault_is_refused(data: object) -> None:
    """ValueError says what was expected."""
    with pytest.raises(ValueError, match="fault: "):
        Fault.parse(data)


def test_a_stop_does_not_wait_for_a_slow_answer(make: Make) -> None:
    """A delayed answer under way is cut off at the stop; its caller sees the connection end."""
    caller = make(SandboxOptions(rows=1))
    headers = caller.tangoe_headers()
    caller.sandbox.fault(Fault("delay", path="/mobproc", seconds=600))
    failed: list[Exception] = []

    def call() -> None:
        try:
            requests.get(f"{caller.sandbox.tangoe_url}/ping", headers=headers, timeout=30)
        except requests.RequestException as error:
            failed.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    while not any(record.fault == "delay" for record in caller.sandbox.calls()):
        pass
    begin = time.monotonic()
    caller.sandbox.stop()
    thread.join()
    assert time.monotonic() - begin < 5
    assert len(failed) == 1


def test_an_instance_in_trouble(caller: Caller) -> None:
    """Asleep: HTML with its marker; cancelled: 200 with an error alone, or after half of the rows."""
    caller.sandbox.fault(Fault("hibernating", path="/api/"))
    caller.sandbox.fault(Fault("cancelled", path="/api/"))
    caller.sandbox.fault(Fault("partial", path="/api/"))
    asleep = caller.now("/table/incident")
    assert (asleep.status_code, asleep.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "instance-hibernating-page" in asleep.text
    alone = caller.now("/table/incident")
    assert (alone.status_code, set(alone.json())) == (200, {"error", "status"})
    half = caller.now("/table/incident").json()
    assert (len(half["result"]), half["error"]["message"]) == (
        30,
        "Transaction cancelled: maximum execution time exceeded",
    )
