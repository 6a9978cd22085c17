"""One request of a run, over real HTTP: identity, rejection, retries, waits, verdicts."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from jobs.contract import Interrupted
from tests.calls.asking import Asker, options
from tests.wire.farend import FarEnd, Request, answer, closed_port
from worker.calls.session import BoundApi
from worker.model.errors import AuthRejected, CallFailed, CallRefused, CallUnanswered, CallUnsent
from worker.model.records import Purpose

TANGOE_ERROR = b'{"status": 400, "id": "occ-1", "errorCode": "E7", "message": "no such device"}'


def test_request_carries_identity_body_and_ids(asker: Asker) -> None:
    """Token, tenant and client id are sent, the job's own headers too, and the row knows the run."""
    with FarEnd(answer(b'{"ok": true}')) as far:
        api = asker.api(far.url)
        got = api.request(
            "POST",
            "orders",
            params={"confirm": "true"},
            json={"a": [1, None]},
            headers={"X-Own": "1", "authorization": "Basic x", "x-tngo-tenant": "OTHER"},
        )
        assert (api.base_url, got.json()) == (f"{far.url}/base", {"ok": True})
    (request,) = far.requests
    assert (request.method, request.target, request.body) == (
        "POST",
        "/base/orders?confirm=true",
        b'{"a":[1,null]}',
    )
    assert request.headers["authorization"] == "Bearer canary-token-1"
    assert (request.headers["x-tngo-tenant"], request.headers["client_id"]) == ("XYZ", "client-1")
    assert (request.headers["x-own"], request.headers["accept"]) == ("1", "application/json")
    assert "x-empty" not in request.headers
    (row,) = asker.bench.rows()
    assert (row.purpose, row.job, row.run_id, row.attempt) == (Purpose.WRITE, "devices", 8, 2)
    assert (row.tenant, row.generation_used, row.id) == ("XYZ", 1, got.call_id)


def test_body_that_is_no_json_is_refused(asker: Asker) -> None:
    """Nothing is sent, and the type at fault is named."""
    with FarEnd(answer()) as far, pytest.raises(CallRefused, match="object"):
        asker.api(far.url).request("POST", "x", json=object())


def test_link_beyond_the_origin_is_refused(asker: Asker) -> None:
    """A next link of the API that leads elsewhere gets no token."""
    with FarEnd(answer()) as far, FarEnd(answer()) as other:
        with pytest.raises(CallRefused, match="origins"):
            asker.api(far.url).request("GET", f"{other.url}/base/next?offset=5")
        assert not other.requests


@pytest.mark.parametrize("status", [401, 403])
def test_rejection_brings_one_try_with_a_newer_token(asker: Asker, status: int) -> None:
    """The keeper learns which generation was rejected; the second try is tied to the first."""
    with FarEnd(answer(b"", f"{status} No"), answer(b"[]")) as far:
        assert asker.api(far.url).request("POST", "x", json=[1]).body == b"[]"
    assert asker.tokens.asked == [None, 1]
    assert [request.headers["authorization"][-1] for request in far.requests] == ["1", "2"]
    assert far.requests[0].body == far.requests[1].body
    first, second = asker.bench.rows()
    assert (first.generation_used, second.generation_used, second.retry_of) == (1, 2, first.id)
    assert not asker.waits


def test_rejected_twice_is_told_and_not_tried_on(asker: Asker) -> None:
    """A fresh token that is rejected too ends the call, with the API's own words."""
    with FarEnd(answer(TANGOE_ERROR, "403 No")) as far:
        with pytest.raises(AuthRejected, match=r"account tangoe.*403 \(E7: no such device"):
            asker.api(far.url).request("GET", "x")
        assert len(far.requests) == 2
    assert asker.tokens.asked == [None, 1]


def test_newer_token_is_asked_for_once_a_call(asker: Asker) -> None:
    """A rejection after a retry does not begin the round again."""
    plays = [answer(b"", "401 No"), answer(b"", "500 Oh"), answer(b"", "401 No")]
    with FarEnd(*plays) as far:
        with pytest.raises(AuthRejected):
            asker.api(far.url).request("GET", "x")
        assert len(far.requests) == 3


def test_small_scope_asks_for_no_new_token(asker: Asker) -> None:
    """403 insufficient_scope is a verdict, not a bad token."""
    challenge = 'WWW-Authenticate: Bearer error="insufficient_scope"'
    with FarEnd(answer(b"", "403 No", challenge)) as far:
        with pytest.raises(CallFailed) as caught:
            asker.api(far.url).request("GET", "x")
        assert len(far.requests) == 1
    assert caught.value.status == 403


def test_trouble_is_waited_out(asker: Asker) -> None:
    """A 500 is tried again after a jittered wait; each wait is told, each try is a row."""
    with FarEnd(answer(b"", "500 Oh"), answer(b"", "502 Oh"), answer(b"[]")) as far:
        assert asker.api(far.url).request("GET", "x").status == 200
    first, second, third = asker.bench.rows()
    assert (first.retry_of, second.retry_of, third.retry_of) == (None, first.id, second.id)
    assert [(one.call, one.why, one.run) for one in asker.retried] == [
        (first.id, "answered 500", 8),
        (second.id, "answered 502", 8),
    ]
    assert sum(asker.waits) <= 0.1 + 0.2


def test_tries_end(asker: Asker) -> None:
    """After `attempts` tries the verdict names account, method, URL, status and how often."""
    with FarEnd(answer(b'{"message": "sorry"}', "500 Oh")) as far:
        with pytest.raises(CallFailed) as caught:
            asker.api(far.url).request("GET", "x", params={"a": "b"})
        assert len(far.requests) == 3
    text = str(caught.value)
    assert f"GET {far.url}/base/x?a=b (account tangoe): answered 500 at the 3. try (sorry)" in text
    assert caught.value.call_id == asker.bench.rows()[-1].id


def test_client_error_is_told_at_once(asker: Asker) -> None:
    """A 400 is not tried again; the API's words are quoted."""
    with FarEnd(answer(TANGOE_ERROR, "400 Bad")) as far:
        with pytest.raises(CallFailed, match="E7: no such device: occurrence occ-1") as caught:
            asker.api(far.url).request("GET", "x")
        assert len(far.requests) == 1
    assert (caught.value.status, caught.value.retry_after_s) == (400, None)


def test_write_is_not_repeated_in_doubt(asker: Asker) -> None:
    """A POST whose answer was lost, or met a 500, is sent once."""

    def vanish(*_: object) -> bool:
        return False

    with FarEnd(vanish, answer(b"", "500 Oh")) as far:
        api = asker.api(far.url)
        with pytest.raises(CallUnanswered):
            api.request("POST", "x", json={})
        with pytest.raises(CallFailed):
            api.request("PATCH", "x", json={})
        assert len(far.requests) == 2
    assert not asker.waits


def test_read_is_repeated_after_a_lost_answer(asker: Asker) -> None:
    """A GET that got no answer is simply asked again."""

    def vanish(*_: object) -> bool:
        return False

    with FarEnd(vanish, answer(b"[]")) as far:
        assert asker.api(far.url).request("GET", "x").status == 200
    assert asker.bench.rows()[0].error is not None


def test_unreachable_host_is_told_after_all_tries(asker: Asker) -> None:
    """Also a POST is tried again where nothing left."""
    with pytest.raises(CallUnsent, match="refused the connection"):
        asker.api(f"http://127.0.0.1:{closed_port()}").request("POST", "x", json={})
    assert len(asker.bench.rows()) == 3


def test_retry_after_is_obeyed(asker: Asker) -> None:
    """The far end's own wait counts, not ours; a POST that was turned away is sent again."""
    with FarEnd(answer(b"", "429 Slow", "Retry-After: 7"), answer(b"[]")) as far:
        assert asker.api(far.url).request("POST", "x", json={}).status == 200
    assert [one.wait_s for one in asker.retried] == [7.0]
    assert sum(asker.waits[:14]) == 7.0


def test_wait_beyond_the_run_is_handed_up(asker: Asker) -> None:
    """An hour's wait does not hold a slot: the error says when to come back."""
    with FarEnd(answer(b"", "429 Slow", "Retry-After: 3000")) as far:
        with pytest.raises(CallFailed) as caught:
            asker.api(far.url).request("GET", "x")
        assert len(far.requests) == 1
    assert (caught.value.status, caught.value.retry_after_s) == (429, 3000.0)
    assert not asker.waits


def test_429_holds_back_the_other_runs_of_the_account(asker: Asker) -> None:
    """The next call of anybody waits, or is handed up where it cannot."""
    with FarEnd(answer(b"", "429 Slow", "Retry-After: 3000"), answer(b"[]")) as far:
        api = asker.account_api(options(far.url))
        with pytest.raises(CallFailed):
            asker.bind(api).request("GET", "x")
        with pytest.raises(CallUnsent, match="next call is due") as caught:
            asker.bind(api).request("GET", "y")
        assert len(far.requests) == 1
        assert 2990.0 < (caught.value.retry_after_s or 0.0) <= 3000.0


def test_accepted_without_a_body_is_asked_again_and_then_told(asker: Asker) -> None:
    """ServiceNow's 202 never becomes an empty page."""
    with FarEnd(answer(b"", "202 Accepted")) as far:
        with pytest.raises(CallUnanswered, match="202 without a body"):
            asker.api(far.url).request("GET", "x")
        assert len(far.requests) == 3


def test_cancelled_run_stops_waiting(asker: Asker) -> None:
    """While it waits the run is asked whether it goes on, and nothing is sent after that."""

    def check() -> None:
        if len(asker.waits) == 3:
            raise Interrupted("cancelled")

    asker.check = check
    with FarEnd(answer(b"", "429 Slow", "Retry-After: 60")) as far:
        with pytest.raises(Interrupted):
            asker.api(far.url).request("GET", "x")
        assert len(far.requests) == 1
    assert asker.waits == [0.5, 0.5, 0.5]


def test_rate_limit_spaces_calls(asker: Asker) -> None:
    """The configured rate makes the third call of a second wait."""
    with FarEnd(answer(b"[]")) as far:
        api = asker.api(far.url, rate_limit="1/m")
        api.request("GET", "x")
        api.request("GET", "x")
    assert 59.0 < sum(asker.waits) <= 60.5


def test_settle_makes_all_rows_durable(asker: Asker) -> None:
    """After it, every call of the run is in the committed trail with its outcome."""
    release = threading.Event()
    asker.bench.writer.submit(lambda _: release.wait(30.0))
    with FarEnd(answer(b"[]")) as far:
        api = asker.api(far.url)
        for _ in range(20):
            api.request("GET", "x")
        threading.Timer(0.05, release.set).start()
        api.settle()
        with asker.bench.database.read() as connection:
            found = connection.exec_driver_sql("SELECT count(*) FROM calls WHERE status = 200").scalar_one()
    assert found == 20


def test_many_threads_ask_and_settle_at_once(asker: Asker) -> None:
    """No ticket is let go before its row is durable, whoever waits for it: each settle finds all rows before it."""
    threads, calls = 8, 60
    missing = list[int]()

    def ask(api: BoundApi) -> None:
        for number in range(calls):
            got = api.request("GET", "x")
            if number % 10 == 0:
                api.settle()
                with asker.bench.database.read() as connection:
                    found = connection.exec_driver_sql("SELECT 1 FROM calls WHERE id = ?", (got.call_id,)).scalar()
                missing.extend([] if found else [got.call_id])

    with FarEnd(answer(b"[]")) as far, ThreadPoolExecutor(threads) as pool:
        api = asker.api(far.url)
        for done in [pool.submit(ask, api) for _ in range(threads)]:
            done.result()
        api.settle()
    assert not missing
    assert not api._tickets
    assert len(asker.bench.rows()) == threads * calls


class Awaited:
    """Stands in for a ticket: lets nobody go before two threads wait for it."""

    def __init__(self) -> None:
        self._both = threading.Barrier(2)

    def wait(self, _timeout_s: float) -> None:
        """Waits for the other one; raises BrokenBarrierError where it does not come."""
        self._both.wait(10.0)


def test_two_who_settle_wait_for_every_ticket(asker: Asker) -> None:
    """What one of them has waited for, the other does not take out a second time in place of the next."""
    api = asker.api("https://api.test")
    api._tickets.update(dict.fromkeys((Awaited(), Awaited(), Awaited()), 1))  # type: ignore[arg-type]  # all that is asked of one
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(api.settle), pool.submit(api.settle)]:
            done.result()
    assert not api._tickets


def test_no_secret_reaches_an_observable(asker: Asker) -> None:
    """An API that echoes the token brings it into no error, row or event."""

    def echo(connection: socket.socket, request: Request) -> bool:
        body = b'{"message": "bad %s"}' % request.headers["authorization"].encode()
        connection.sendall(answer(body, "401 No"))
        return True

    with FarEnd(echo) as far, pytest.raises(AuthRejected) as caught:
        asker.api(far.url).request("GET", "x")
    seen = f"{caught.value!r}{caught.value.__cause__!r}{asker.bench.rows()}{asker.bench.told}{asker.retried}"
    assert "canary-token" not in seen
