"""The hand-off mode: the refresh token as bearer, the new token near expiry, the grace, and calls that race."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.sandbox.calling import Caller, Make
from worker.sandbox.faults import Fault
from worker.sandbox.options import HandOff, SandboxOptions

NEAR = SandboxOptions(rows=3, handoff=HandOff(window_s=3600.0))  # every call is near the expiry


def ping(caller: Caller, token: str, path: str = "/ping") -> requests.Response:
    """Calls the API with this bearer."""
    return caller.tangoe(path, caller.tangoe_headers(token))


def test_without_the_mode_a_refresh_token_is_no_bearer(caller: Caller) -> None:
    """By default it is for the token endpoint only (RFC 6749 1.5)."""
    assert ping(caller, caller.tangoe_token().json()["refresh_token"]).status_code == 403


def test_far_from_expiry_nothing_comes_back(make: Make) -> None:
    """Access and refresh token are both good, and no answer brings a new one."""
    caller = make(SandboxOptions(rows=3, handoff=HandOff(window_s=60.0)))
    tokens = caller.tangoe_token().json()
    for token in (tokens["access_token"], tokens["refresh_token"]):
        answer = ping(caller, token)
        assert (answer.status_code, "X-New-Token" in answer.headers) == (200, False)
    assert caller.sandbox.calls()[-1].token_used == 1


def test_near_expiry_the_answer_brings_the_next_one(make: Make) -> None:
    """In the header; the new token works, the old one does within its grace; the log ties both together."""
    caller = make(NEAR)
    tokens = caller.tangoe_token().json()
    assert "X-New-Token" not in ping(caller, tokens["access_token"]).headers
    new = ping(caller, tokens["refresh_token"]).headers["X-New-Token"]
    assert new not in tokens.values()
    answer = ping(caller, new)
    assert answer.status_code == 200
    handed = caller.sandbox.calls("/mobproc")[1]
    assert (handed.token_used, handed.token_issued) == (1, 2)
    assert caller.refreshed(answer.headers["X-New-Token"]).status_code == 200
    assert ping(caller, tokens["refresh_token"]).status_code == 200


def test_the_old_token_dies_after_its_grace(make: Make) -> None:
    """A grace of nothing: the next call with it is refused, at the API and at the token endpoint."""
    caller = make(SandboxOptions(rows=3, handoff=HandOff(window_s=3600.0, grace_s=0.0)))
    old = caller.tangoe_token().json()["refresh_token"]
    assert "X-New-Token" in ping(caller, old).headers
    assert ping(caller, old).status_code == 403
    assert "used before" in caller.refreshed(old).json()["error_description"]


def test_of_two_new_tokens_the_last_one_stays_good(make: Make) -> None:
    """Two calls near expiry get one each; only the later one works afterwards."""
    caller = make(NEAR)
    old = caller.tangoe_token().json()["refresh_token"]
    first, second = (ping(caller, old).headers["X-New-Token"] for _ in range(2))
    assert first != second
    assert (ping(caller, first).status_code, ping(caller, second).status_code) == (403, 200)


def test_eight_threads_near_expiry_leave_one_good_token(make: Make) -> None:
    """Every call succeeds and brings a token of its own, and one of the eight works afterwards."""
    caller = make(NEAR)
    old = caller.tangoe_token().json()["refresh_token"]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ping(caller, old), range(8)))
    new = {answer.headers["X-New-Token"] for answer in answers}
    assert len(new) == 8
    assert sorted(ping(caller, token).status_code for token in new) == [200] + [403] * 7


def test_or_both_get_the_same(make: Make) -> None:
    """same=True: a kinder server."""
    caller = make(SandboxOptions(rows=3, handoff=HandOff(window_s=3600.0, same=True)))
    old = caller.tangoe_token().json()["refresh_token"]
    first, second = (ping(caller, old).headers["X-New-Token"] for _ in range(2))
    assert first == second
    assert ping(caller, first).status_code == 200


def test_the_new_token_may_come_in_the_body(make: Make) -> None:
    """A member of the JSON object, with the rest unharmed; the kept page is not changed by it."""
    options = HandOff(window_s=3600.0, header="", body_field="newToken")
    caller = make(SandboxOptions(rows=3, handoff=options))
    tokens = caller.tangoe_token().json()
    answer = ping(caller, tokens["refresh_token"], "/orders")
    assert "X-New-Token" not in answer.headers
    assert ping(caller, answer.json()["newToken"]).status_code == 200
    assert len(answer.json()["orders"]) == 3
    assert "newToken" not in ping(caller, tokens["access_token"], "/orders").json()


def test_a_refusal_may_bring_it_too(make: Make) -> None:
    """404 and yet a new token: who looks at good answers only loses it."""
    caller = make(NEAR)
    answer = ping(caller, caller.tangoe_token().json()["refresh_token"], "/orders/nothing")
    assert answer.status_code == 404
    assert ping(caller, answer.headers["X-New-Token"]).status_code == 200


def test_a_lost_answer_loses_the_new_token(make: Make) -> None:
    """The old one still works within its grace."""
    caller = make(NEAR)
    old = caller.tangoe_token().json()["refresh_token"]
    caller.sandbox.fault(Fault("lost_answer", path="/mobproc"))
    with pytest.raises(requests.ConnectionError):
        ping(caller, old)
    assert caller.sandbox.calls("/mobproc")[-1].token_issued == 2
    assert ping(caller, old).status_code == 200


def test_a_handed_token_is_revoked_like_any_other(make: Make) -> None:
    """The grace saves it from its successor, also where a refresh ends older access tokens, and from nothing else."""
    caller = make(SandboxOptions(rows=3, retire_access=True, handoff=HandOff(window_s=3600.0)))
    old = caller.tangoe_token().json()["refresh_token"]
    assert [ping(caller, old).status_code for _ in range(3)] == [200] * 3
    caller.sandbox.revoke_access_tokens("tangoe")
    assert ping(caller, old).status_code == 403


def test_dead_tokens_are_no_bearers(make: Make) -> None:
    """Expired, spent at the token endpoint, revoked, or made up."""
    caller = make(SandboxOptions(rows=3, handoff=HandOff(window_s=0.0)))
    spent = caller.tangoe_token().json()["refresh_token"]
    caller.refreshed(spent)
    revoked = caller.tangoe_token().json()["refresh_token"]
    caller.sandbox.revoke_access_tokens("tangoe")
    family = caller.tangoe_token().json()["refresh_token"]
    caller.sandbox.revoke_family("tangoe")
    caller.sandbox.set_manners("tangoe", lifetime_s=0)
    expired = caller.tangoe_token().json()["refresh_token"]
    assert [ping(caller, token).status_code for token in (spent, revoked, family, expired, "made-up")] == [403] * 5


@pytest.mark.parametrize("wrong", [{"window_s": -1.0}, {"grace_s": -1.0}, {"header": ""}])
def test_wrong_options_are_refused(wrong: dict[str, object]) -> None:
    """Times below zero, and a new token that nothing carries."""
    with pytest.raises(ValueError, match="sandbox: a hand-off needs"):
        HandOff(**wrong)  # type: ignore[arg-type]  # that is the point
