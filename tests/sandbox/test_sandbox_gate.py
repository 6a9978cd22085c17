"""The gate: long URLs, pace, parallel requests (apis.md 2.3 and 2.5)."""

import time
from concurrent.futures import ThreadPoolExecutor

from tests.sandbox.calling import Caller


def test_a_long_url_is_414(caller: Caller) -> None:
    """At the length told, and by default beyond 8,190 characters, which HTTP parsers often refuse themselves."""
    long = "^OR".join(["state=1"] * 1200)
    answer = caller.now("/table/incident", sysparm_query=long)
    assert (answer.status_code, answer.json()["status"]) == (414, "failure")
    caller.sandbox.trap(url_limit=0)
    assert caller.now("/table/incident", sysparm_query=long).status_code == 200
    caller.sandbox.trap(url_limit=100)
    assert caller.now("/table/incident", sysparm_query="state=1" * 20).status_code == 414
    assert caller.now("/table/incident", sysparm_query="state=1").status_code == 200


def test_the_rate_is_limited_and_told(caller: Caller) -> None:
    """Headers with each answer, Retry-After with the 429; no word of it where the traps say so."""
    caller.sandbox.trap(rate_limit=2)
    first = caller.now("/table/incident", sysparm_limit=1)
    assert first.headers["X-RateLimit-Limit"] == "2"
    assert 3590 < int(first.headers["X-RateLimit-Reset"]) - time.time() < 3610
    assert "Retry-After" not in first.headers
    caller.now("/table/incident", sysparm_limit=1)
    over = caller.now("/table/incident", sysparm_limit=1)
    assert (over.status_code, over.json()["status"]) == (429, "failure")
    assert 3590 < int(over.headers["Retry-After"]) <= 3600
    assert "X-RateLimit-Rule" in over.headers
    caller.sandbox.trap(rate_headers=False)
    bare = caller.now("/table/incident", sysparm_limit=1)
    assert bare.status_code == 429
    assert not {name for name in bare.headers if name.startswith(("X-Rate", "Retry"))}
    assert caller.generic("/items").status_code == 200
    caller.sandbox.clear_traps()
    assert caller.now("/table/incident", sysparm_limit=1).status_code == 200


def test_another_window_counts_anew(caller: Caller) -> None:
    """A window that is over at once refuses nobody; a new limit forgets what was counted."""
    caller.sandbox.trap(rate_limit=1, rate_window_s=0, gate_path="/basic")
    assert [caller.generic("/settings").status_code for _ in range(3)] == [200] * 3
    caller.sandbox.trap(rate_window_s=3600)
    assert [caller.generic("/settings").status_code for _ in range(2)] == [200, 429]
    caller.sandbox.trap(rate_limit=2)
    assert [caller.generic("/settings").status_code for _ in range(3)] == [200, 200, 429]


def test_one_request_too_many_is_202_and_empty(caller: Caller) -> None:
    """So many at once and no more; the sandbox tells how many there were."""
    caller.sandbox.trap(parallel=2, latency_s=0.3, gate_path="/basic")
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: caller.generic("/settings"), range(6)))
    refused = [answer for answer in answers if answer.status_code == 202]
    assert len(refused) >= 2
    assert all(answer.content == b"" for answer in refused)
    assert caller.sandbox.most_at_once() == 2
    assert caller.generic("/settings").status_code == 200
