"""Credentials that fail while the daemon works: wrong, revoked, or not to be renewed."""

import pytest

from tests.process.house import DEVICES, Daemon, House, wait_for
from worker.model.records import AttemptState, Health, Reason, RunState
from worker.sandbox.faults import Fault

pytestmark = pytest.mark.process

_TOKEN, _PAGES = "/as/token.oauth2", "/mobproc"


def _succeeded(house: House) -> int:
    return len(house.runs("devices", RunState.SUCCEEDED))


def _wait_for_more(house: House, more: int = 1) -> None:
    known = _succeeded(house)
    wait_for(lambda: _succeeded(house) >= known + more, f"{more} more runs that succeeded")


def test_a_wrong_password_is_tried_once(house: House) -> None:
    """The account is blocked and later ticks are skipped for it; the right password needs nobody but a start."""
    house.configure(DEVICES)
    house.secret("tangoe_password", "wrong-password-of-the-test")
    daemon = house.start()

    def skipped() -> int:
        return sum(run.ticks for run in house.runs("devices", RunState.SKIPPED) if run.reason is Reason.ACCOUNT)

    wait_for(lambda: skipped() >= 3, "three ticks skipped for the account's sake")
    daemon.stop()
    assert len(house.sandbox.token_requests()) == 1
    assert house.token().health is Health.BLOCKED
    (failed,) = house.runs("devices", RunState.FAILED)
    assert (failed.error_kind, failed.attempt) == ("account_blocked", 1)
    assert [line["account"] for line in daemon.lines("account.blocked")] == ["tangoe"]

    house.secret("tangoe_password", house.sandbox.options.credentials.tangoe_password)
    again = house.start()
    _wait_for_more(house)
    again.stop()
    assert again.told("account.recovered", account="tangoe")
    assert len(house.sandbox.token_requests()) == 2
    assert house.rows() == house.rows_there()


def _with_a_stale_token(house: House) -> Daemon:
    """Starts a daemon whose stored token is good for an hour but due to be renewed, with its endpoint down."""
    house.configure(DEVICES)
    first = house.start()
    _wait_for_more(house)
    first.stop()
    house.execute("UPDATE tokens SET refresh_at = issued_at")
    house.sandbox.fault(Fault("status", path=_TOKEN, status=503, times=None))
    return house.start()


def test_jobs_go_on_while_the_token_endpoint_is_down(house: House) -> None:
    """A failed refresh never displaces a good token; once the endpoint is back, the token is renewed."""
    daemon = _with_a_stale_token(house)
    wait_for(lambda: daemon.told("token.refresh_failed", account="tangoe"), "a refresh that failed")
    _wait_for_more(house, 2)
    assert house.token().generation == 1
    assert house.token().health is Health.DEGRADED

    house.sandbox.clear_faults()
    wait_for(lambda: house.token().generation == 2, "a newer token", 45)
    daemon.stop()
    assert house.token().health is Health.FRESH
    assert not house.runs("devices", RunState.FAILED)
    assert {one.state for run in house.runs() for one in house.attempts(run)} == {AttemptState.SUCCEEDED}


def test_a_token_revoked_in_mid_run_costs_one_call(house: House) -> None:
    """The rejected page is asked for once more with a newer token; the run never notices. One page at a time flies."""
    house.configure(f"{DEVICES}prefetch = 0\n")
    house.sandbox.fault(Fault("delay", path=_PAGES, seconds=0.5, after=1))
    daemon = house.start()
    wait_for(lambda: len(house.sandbox.calls(_PAGES)) >= 2, "a second page")
    assert house.sandbox.revoke_access_tokens("tangoe") == 1
    wait_for(lambda: _succeeded(house), "a run that succeeded")
    daemon.stop()
    run = house.runs()[0]
    assert (run.state, run.attempt) == (RunState.SUCCEEDED, 1)
    (rejected,) = [one for one in house.calls() if one.status == 403]
    (repeated,) = [one for one in house.calls() if one.retry_of == rejected.id]
    assert (rejected.run_id, rejected.generation_used) == (run.id, 1)
    assert (repeated.status, repeated.generation_used, repeated.url) == (200, 2, rejected.url)
    assert house.rows() == house.rows_there()
