"""One token request per expiry over all threads and processes, none lost to a process that dies; on both databases."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from tests.auth.keeping import Desk
from tests.contracts import flight
from tests.contracts.hangar import fly
from worker.model.moments import utc_now
from worker.model.records import Health
from worker.sandbox.faults import Fault
from worker.sandbox.options import SandboxOptions
from worker.sandbox.server import Sandbox
from worker.store import tables
from worker.store.database import Database
from worker.store.writer import Writer

pytestmark = pytest.mark.process


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox whose refresh tokens are single use and whose old access tokens die at a refresh."""
    with Sandbox(SandboxOptions(rows=1, retire_access=True, revoke_on_replay=True)) as running:
        yield running


class Fleet:
    """Worker processes on one database and one sandbox."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def fly(self, processes: int = 1, **orders: object) -> list[Any]:
        """Starts so many processes, lets them ask at the same instant, and returns what each caller got."""
        url = self.desk.database.engine.url.render_as_string(hide_password=False).replace("+psycopg", "")
        complete = {"database": url, "url": self.desk.url, "callers": 8} | orders
        return [got for told, _ in fly(flight.main, complete, processes) for got in told or ()]


@pytest.fixture
def fleet(database: Database, writer: Writer, sandbox: Sandbox) -> Iterator[Fleet]:
    """A fleet on a fresh database."""
    desk = Desk(database, writer, sandbox.url)
    yield Fleet(desk)
    desk.close()


def asked(sandbox: Sandbox) -> list[str]:
    """Returns the grants of all token requests, refused ones marked."""
    return [f"{one.grant_type}{'' if one.status == 200 else ':refused'}" for one in sandbox.token_requests()]


def expire(desk: Desk) -> None:
    """Makes the stored token one that expired a minute ago."""
    past = utc_now() - timedelta(minutes=1)
    with desk.database.write() as connection:
        connection.execute(sa.update(tables.tokens).values(expires_at=past, refresh_at=past))


def test_three_processes_of_eight_threads_on_one_expired_token(fleet: Fleet, sandbox: Sandbox) -> None:
    """24 callers, one token request, no failure, one generation."""
    fleet.desk.keeper().token()
    expire(fleet.desk)
    assert fleet.fly(processes=3) == [2] * 24
    assert asked(sandbox) == ["password", "refresh_token"]


def test_three_processes_log_in_once(fleet: Fleet, sandbox: Sandbox) -> None:
    """The very first token of an account is won once, too."""
    assert fleet.fly(processes=3) == [1] * 24
    assert asked(sandbox) == ["password"]


def test_death_between_answer_and_write_is_recovered_within_one_lease(fleet: Fleet, sandbox: Sandbox) -> None:
    """A process is killed after the server had rotated: the next one waits for the lease, finds out, logs in."""
    fleet.desk.keeper().token()
    expire(fleet.desk)
    assert fleet.fly(callers=1, dies="before the token is stored", lease_s=1.5) == []
    assert fleet.desk.row().attempt_id is not None
    assert fleet.fly() == [2] * 8
    assert asked(sandbox) == ["password", "refresh_token", "refresh_token:refused", "password"]
    assert fleet.desk.row().attempt_id is None


def test_lost_answer_fails_nobody(fleet: Fleet, sandbox: Sandbox) -> None:
    """The server rotates and its answer is lost: every caller of two processes gets the next token."""
    fleet.desk.keeper().token()
    expire(fleet.desk)
    sandbox.fault(Fault(kind="lost_answer", grant_type="refresh_token"))
    assert fleet.fly(processes=2) == [2] * 16
    assert [one.grant_type for one in sandbox.token_requests()] == [
        "password",
        "refresh_token",
        "refresh_token",
        "password",
    ]


def test_rejected_token_is_refreshed_once(fleet: Fleet, sandbox: Sandbox) -> None:
    """Sixteen callers of two processes whose token was rejected cost one refresh."""
    fleet.desk.keeper().token()
    sandbox.revoke_access_tokens("tangoe")
    assert fleet.fly(processes=2, rejected=1) == [2] * 16
    assert asked(sandbox) == ["password", "refresh_token"]


def test_wrong_password_is_tried_once_by_all_processes(fleet: Fleet, sandbox: Sandbox) -> None:
    """A refused password is sent once, however many processes, threads and starts; the right one recovers."""
    assert fleet.fly(processes=2, password="wrong-password-1") == ["AccountBlocked"] * 16
    assert fleet.fly(password="wrong-password-1") == ["AccountBlocked"] * 8
    assert asked(sandbox) == ["password:refused"]
    assert fleet.desk.row().health is Health.BLOCKED
    assert fleet.fly() == [1] * 8
    assert fleet.desk.row().health is Health.FRESH
