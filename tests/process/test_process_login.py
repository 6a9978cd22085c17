"""Logins, logouts and resets beside a running daemon: it goes on by itself, and never without its reason."""

import orjson
import pytest
import requests
import sqlalchemy as sa

from tests.process.house import DEVICES, House, wait_for
from tests.process.logins import ITEMS, crm, page_of
from worker.model.records import Health, Purpose, Reason, RunState

pytestmark = pytest.mark.process


def _visit(url: str) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        return session.get(url, timeout=10)


def _skipped(house: House, job: str = "items") -> bool:
    return any(run.reason is Reason.ACCOUNT for run in house.runs(job, RunState.SKIPPED))


def test_jobs_wait_for_a_login_and_go_on_after_it(either_house: House) -> None:
    """Skipped with the reason, then done, without a restart; the login's calls stand in the trail."""
    house = either_house
    house.configure(crm(house, "authorization_code"), ITEMS)
    daemon = house.start()
    wait_for(lambda: _skipped(house), "a run that was skipped for want of a login")
    assert daemon.told("account.needs_login", account="crm")

    login = house.launch("account", "login", "crm", "--no-browser", "--json")
    assert _visit(page_of(login)).status_code == 200

    assert login.left() == 0, login.errors.read_text()
    assert orjson.loads(login.output.read_bytes())["generation"] == 1
    wait_for(lambda: house.runs("items", RunState.SUCCEEDED), "a run that succeeded")
    wait_for(lambda: daemon.told("account.recovered", account="crm"), "the recovery in the daemon's log")
    daemon.stop()
    assert [call.purpose for call in house.calls() if call.generation_issued == 1] == [Purpose.LOGIN]


@pytest.mark.slow
def test_a_login_by_device_code_prints_what_to_type(house: House) -> None:
    """And waits until somebody did."""
    house.configure(crm(house, "device_code"), ITEMS)
    assert house.database.location
    login = house.launch("account", "login", "crm", "--no-browser")
    page = page_of(login)
    code = login.errors.read_text().partition("enter  ")[2][:9]

    assert page.startswith(house.sandbox.url)
    wait_for(lambda: house.sandbox.decide_device(code), "the device login at the server")

    assert login.left() == 0, login.errors.read_text()
    assert house.token("crm").health is Health.FRESH


def test_a_blocked_account_is_tried_again_after_a_reset(house: House) -> None:
    """The wrong password went out once; the reset works from another process and leaves a record of who did it."""
    house.sandbox.set_password("tangoe", "another-password")
    house.configure(DEVICES)
    daemon = house.start()
    wait_for(lambda: _skipped(house, "devices"), "a run that was skipped for the blocked account")
    assert len(house.sandbox.token_requests()) == 1
    house.sandbox.set_password("tangoe", house.sandbox.options.credentials.tangoe_password)

    reset = house.launch("account", "reset", "tangoe", "--json")

    assert reset.left() == 0, reset.errors.read_text()
    assert orjson.loads(reset.output.read_bytes())["before"] == "blocked"
    wait_for(lambda: house.runs("devices", RunState.SUCCEEDED), "a run that succeeded")
    with house.database.read() as connection:
        rows = connection.execute(sa.text('SELECT verb, target, "by", outcome FROM commands')).all()
    ((verb, target, by, outcome),) = rows
    assert (verb, target, outcome) == ("reset", "tangoe", "was blocked")
    assert "@" in by
    daemon.stop()


def test_a_logout_is_seen_by_the_daemon_and_by_the_server(house: House) -> None:
    """Nothing stays stored or good; an account that logs in by itself goes on with a new token."""
    house.configure(DEVICES)
    daemon = house.start()
    wait_for(lambda: house.runs("devices", RunState.SUCCEEDED), "a run that succeeded")

    logout = house.launch("account", "logout", "tangoe")

    assert logout.left() == 0, logout.errors.read_text()
    assert "was not told" in logout.output.read_text()
    wait_for(lambda: house.token().generation == 2, "the next login by the daemon itself")
    daemon.stop()


def test_show_and_list_tell_what_to_do(house: House) -> None:
    """In words and in JSON; nothing is sent."""
    house.configure(crm(house, "implicit"), ITEMS)
    daemon = house.start()
    wait_for(lambda: _skipped(house), "a run that was skipped for want of a login")
    daemon.stop()

    shown, whole, listed = (
        house.launch("account", *verb) for verb in (("show", "crm"), ("show", "crm", "--json"), ("list", "--json"))
    )

    assert [shown.left(), whole.left(), listed.left()] == [0, 0, 0]
    text = shown.output.read_text()
    assert "needs_login" in text
    assert "worker account login crm" in text
    facts = orjson.loads(whole.output.read_bytes())
    assert facts["health"] == "needs_login"
    assert facts["remedy"] == "log in: worker account login crm"
    assert facts["endpoints"]["authorize"] == "as its issuer publishes"
    assert {row["account"]: row["health"] for row in orjson.loads(listed.output.read_bytes())}["crm"] == "needs_login"
