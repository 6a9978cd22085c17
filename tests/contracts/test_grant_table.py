"""Every grant that logs in alone or refreshes, in every trouble: where it ends, and how often it asked.

A row of the table tells what three kinds of grants came to: those that log in and refresh, those that only log in, and
those that only refresh. What is listed begins after the account's first token.
"""

import signal
from collections.abc import Callable, Iterable, Iterator

import pytest
from _pytest.mark.structures import ParameterSet

from tests.auth.keeping import Desk
from tests.contracts import flight
from tests.contracts.flight import STEPS
from tests.contracts.grantbench import LOGIN, OK, REFRESH, Bench, End
from tests.contracts.grantkinds import KINDS, pin_points
from tests.contracts.hangar import fly
from worker.auth import custom
from worker.model.records import Health
from worker.sandbox.faults import Fault
from worker.sandbox.options import SandboxOptions
from worker.sandbox.server import Sandbox
from worker.store.database import Database
from worker.store.writer import Writer

TOKEN = "/idp/token"
LATER, PERSON, FRESH = "TokenUnavailable", "NeedsLogin", Health.FRESH

TABLE: dict[str, dict[str, End]] = {
    "refresh": {
        "both": ([OK], [REFRESH], FRESH),
        "logs in": ([OK], [LOGIN], FRESH),
        "refreshes": ([OK], [REFRESH], FRESH),
    },
    "rejection mid-run": {
        "both": ([OK], [REFRESH], FRESH),
        "logs in": ([OK], [LOGIN], FRESH),
        "refreshes": ([OK], [REFRESH], FRESH),
    },
    "dead refresh token": {
        "both": ([OK], ["refresh:400", LOGIN], FRESH),
        "logs in": ([OK], [LOGIN], FRESH),
        "refreshes": ([PERSON, PERSON], ["refresh:400"], Health.NEEDS_LOGIN),
    },
    "endpoint 5xx": {
        "both": ([LATER, LATER, OK], ["refresh:503", REFRESH], FRESH),
        "logs in": ([LATER, LATER, OK], ["login:503", LOGIN], FRESH),
        "refreshes": ([LATER, LATER, OK], ["refresh:503", REFRESH], FRESH),
    },
    "429": {
        "both": ([LATER, LATER, OK], ["refresh:429", REFRESH], FRESH),
        "logs in": ([LATER, LATER, OK], ["login:429", LOGIN], FRESH),
        "refreshes": ([LATER, LATER, OK], ["refresh:429", REFRESH], FRESH),
    },
    "malformed answer": {  # the server has acted
        "both": ([LATER, LATER, OK], [REFRESH, "refresh:400", LOGIN], FRESH),
        "logs in": ([LATER, LATER, OK], [LOGIN, LOGIN], FRESH),
        "refreshes": ([LATER, LATER, PERSON], [REFRESH, "refresh:400"], Health.NEEDS_LOGIN),
    },
    "lost answer": {
        "both": ([OK], ["refresh:lost", "refresh:400", LOGIN], FRESH),
        "logs in": ([OK], ["login:lost", LOGIN], FRESH),
        "refreshes": ([PERSON, PERSON], ["refresh:lost", "refresh:400"], Health.NEEDS_LOGIN),
    },
}
_AS_NEVER: dict[str, End] = {
    "both": ([OK], [REFRESH], FRESH),
    "logs in": ([OK], [LOGIN], FRESH),
    "refreshes": ([OK], [REFRESH], FRESH),
}
_AS_LOST: dict[str, End] = {
    "both": ([OK], [REFRESH, "refresh:400", LOGIN], FRESH),
    "logs in": ([OK], [LOGIN, LOGIN], FRESH),
    "refreshes": ([PERSON], [REFRESH, "refresh:400"], Health.NEEDS_LOGIN),
}
KILLED: dict[str, dict[str, End]] = {
    "before the lease is taken": _AS_NEVER,
    "before the request is sent": _AS_NEVER,
    "before the answer is read": _AS_LOST,
    "before the token is stored": _AS_LOST,
    "after the token is stored": _AS_NEVER,  # which was the killed one's own request
}
FIRST = {"refresh_token": [REFRESH], "authorization_code": [], "device_code": []}  # the others log in


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox whose refresh tokens are single use, revoke their family, and end the access token before them."""
    with Sandbox(SandboxOptions(rows=1, retire_access=True, revoke_on_replay=True)) as running:
        yield running


def _refresh(bench: Bench) -> None:
    bench.expire()
    bench.ask()


def _rejection(bench: Bench) -> None:
    bench.sandbox.revoke_access_tokens("idp")
    bench.call()


def _dead(bench: Bench) -> None:
    bench.sandbox.revoke_family("idp")
    bench.expire()
    bench.ask()
    if not bench.kind.logs_in:
        bench.ask(bench.keeper())


def _status(status: int, wait_s: float, retry_after: int | None = None) -> Callable[[Bench], None]:
    def trouble(bench: Bench) -> None:
        bench.sandbox.fault(Fault(kind="status", path=TOKEN, status=status, retry_after=retry_after))
        _in_time(bench, wait_s)

    return trouble


def _in_time(bench: Bench, wait_s: float) -> None:
    """Asks at once, in another process shortly before the wait is over, and after it."""
    bench.expire()
    bench.ask()
    bench.desk.clock.pass_by(wait_s - 1)
    bench.ask(bench.keeper())
    bench.desk.clock.pass_by(1.5)
    bench.ask()


def _malformed(bench: Bench) -> None:
    bench.sandbox.fault(Fault(kind="malformed_json", path=TOKEN))
    _in_time(bench, 5)


def _lost(bench: Bench) -> None:
    bench.sandbox.fault(Fault(kind="lost_answer", path=TOKEN))
    bench.expire()
    bench.ask()
    if not bench.kind.logs_in:
        bench.ask(bench.keeper())


TROUBLES = {
    "refresh": _refresh,
    "rejection mid-run": _rejection,
    "dead refresh token": _dead,
    "endpoint 5xx": _status(503, 5),
    "429": _status(429, 40, retry_after=40),
    "malformed answer": _malformed,
    "lost answer": _lost,
}


_QUICK = {"password", "jwt_bearer", "refresh_token", "before the request is sent", "before the token is stored"}
"""One kind of each column and the steps that differ most: what `make test` walks; on SQLite alone."""


def _marked(names: Iterable[str]) -> list[ParameterSet]:
    return [pytest.param(name, marks=[] if name in _QUICK else pytest.mark.slow) for name in names]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.slow])])
def database(request: pytest.FixtureRequest) -> Database:
    """Either database."""
    name = "sqlite_database" if request.param == "sqlite" else "postgres_database"
    opened: Database = request.getfixturevalue(name)
    return opened


@pytest.fixture(params=_marked(KINDS))
def bench(
    request: pytest.FixtureRequest,
    database: Database,
    writer: Writer,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Bench]:
    """An account of each kind."""
    monkeypatch.setattr(custom, "entry_points", pin_points)
    desk = Desk(database, writer, sandbox.url)
    yield Bench(desk, sandbox, KINDS[request.param])
    desk.close()


def test_first_token(bench: Bench) -> None:
    """The first token costs one request; none where a person has just logged in."""
    bench.begin()
    assert bench.asked() == FIRST.get(bench.kind.name, [LOGIN])
    assert bench.desk.row().health is FRESH
    bench.call()
    assert bench.told == [OK]


@pytest.mark.parametrize("trouble", list(TROUBLES))
def test_trouble(bench: Bench, trouble: str) -> None:
    """Each trouble ends where the table says, with the token requests it names."""
    bench.begin()
    bench.sandbox.forget_calls()
    TROUBLES[trouble](bench)
    assert bench.end() == TABLE[trouble][bench.kind.group]
    assert bench.desk.row().attempt_id is None


@pytest.mark.process
@pytest.mark.parametrize("step", _marked(STEPS))
def test_kill(bench: Bench, step: str) -> None:
    """A process that is killed at a step of its refresh is followed by another, which ends where the table says."""
    bench.begin()
    bench.sandbox.forget_calls()
    bench.expire_row()
    url = bench.desk.database.engine.url.render_as_string(hide_password=False).replace("+psycopg", "")
    orders = {"database": url, "url": bench.desk.url, "callers": 1, "lease_s": 0.5, "dies": step}
    orders |= {"kind": bench.kind.name, "secrets": bench.secrets}
    assert fly(flight.main, orders) == [(None, -signal.SIGKILL)]
    bench.ask(bench.keeper())
    assert bench.end() == KILLED[step][bench.kind.group]
    assert bench.desk.row().attempt_id is None


def test_no_trouble_needs_a_person_where_the_grant_logs_in() -> None:
    """No row of the table calls for a person but for grants that only refresh."""
    rows = [*TABLE.values(), *KILLED.values()]
    ends = [row[group] for row in rows for group in ("both", "logs in")]
    assert {health for _, _, health in ends} == {FRESH}
    assert {told[-1] for told, _, _ in ends} == {OK}
