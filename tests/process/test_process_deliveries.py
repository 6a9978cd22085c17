"""kill -9 while rows go to an API: no row there twice, none missing, and what nobody knows is told."""

import pytest
import sqlalchemy as sa

from tests.process.house import Daemon, House, wait_for
from worker.model.records import AttemptState, RunState
from worker.sandbox.faults import Fault

pytestmark = pytest.mark.process

_ITEMS = "/basic/items"
_JOB = """
[accounts.items]
base_url = "{url}/basic"
grant = "basic"
username = "{name}"
password = {{ file = "secrets/items" }}

[jobs.devices]
type = "sync"
schedule = {{ every = "1s" }}
max_rejects = 5
source = {{ account = "tangoe", resource = "devices", paging = {{ size = 10 }} }}
map = {{ external_id = "id", revision = "revision" }}

[jobs.devices.destination]
account = "items"
path = "/items"
key = "external_id"
id = "data.id"
update = {{ path = "/items/{{remote_id}}" }}
parallel = {parallel}
"""
_KEY = 'idempotency_header = "Idempotency-Key"\n'
_LOOKUP = """in_doubt = "lookup"
lookup = { path = "/items/lookup", params = { external_id = "{external_id}" }, records = "data.items", found = "id" }
"""


def _configured(house: House, extra: str, parallel: int) -> None:
    who = house.sandbox.options.credentials
    house.secret("items", who.basic_password)
    text = _JOB.format(url=house.sandbox.url, name=who.basic_username, parallel=parallel)
    house.configure(text + extra)


def _there(house: House) -> list[str]:
    """Returns the external ids of what was made at the far end, with those made twice."""
    return sorted(str(row["external_id"]) for row in house.sandbox.rows("items") if "external_id" in row)


def _killed(house: House, fault: Fault, made: int) -> None:
    """Lets a daemon die over a request whose row is there and whose answer is on its way."""
    house.sandbox.fault(fault)
    daemon = house.start()
    wait_for(lambda: len(_there(house)) >= made, f"{made} rows at the far end")
    daemon.kill()
    house.sandbox.clear_faults()


def _recovered(house: House) -> Daemon:
    died = house.runs("devices", RunState.RUNNING)[0]
    daemon = house.start()
    wait_for(lambda: died.id in [run.id for run in house.runs("devices", RunState.SUCCEEDED)], "the end of that run")
    assert [one.state for one in house.attempts(died)] == [AttemptState.LOST, AttemptState.SUCCEEDED]
    return daemon


def _told(house: House) -> tuple[list[str], list[str]]:
    """Returns the reasons of rejects, and the states of deliveries that are not delivered."""
    with house.database.read() as connection:
        reasons = connection.execute(sa.text("SELECT reason FROM rejects")).scalars().all()
        states = connection.execute(sa.text("SELECT state FROM deliveries WHERE state <> 'delivered'")).scalars().all()
    return list(reasons), list(states)


@pytest.mark.parametrize(
    ("extra", "parallel", "is_held"),
    [
        pytest.param("", 1, True, id="hold"),
        pytest.param(_KEY, 1, False, id="idempotency key"),
        pytest.param(_LOOKUP, 1, False, id="lookup"),
        pytest.param(_LOOKUP, 4, False, id="lookup, four at once", marks=pytest.mark.slow),
    ],
)
def test_a_daemon_that_dies_doubles_no_row(house: House, extra: str, parallel: int, is_held: bool) -> None:
    """Killed over the thirteenth row; the row that was on its way is held, known again or looked up."""
    _configured(house, extra, parallel)
    _killed(house, Fault("drip", path=_ITEMS, method="POST", after=12, seconds=1), 13)
    daemon = _recovered(house)
    house.sandbox.churn(10, "devices")
    wait_for(lambda: house.cursor() == house.newest(), "the cursor at the newest row")
    daemon.stop()
    assert _there(house) == sorted(str(row["id"]) for row in house.sandbox.rows("devices"))
    reasons, states = _told(house)
    assert states == (["in_doubt"] if is_held else [])
    assert bool(reasons) == is_held
    assert all(reason.startswith("in doubt: ") for reason in reasons)
    sent = {str(row["external_id"]): row["revision"] for row in house.sandbox.rows("items") if "external_id" in row}
    wrong = [row["id"] for row in house.sandbox.rows("devices") if sent[str(row["id"])] != row["revision"]]
    assert len(wrong) <= (1 if is_held else 0)


@pytest.mark.slow
@pytest.mark.postgres
def test_on_postgresql_a_daemon_that_dies_doubles_no_row(postgres_house: House) -> None:
    """Its runs are taken over once its heart was silent for long enough, which is not waited for here."""
    _configured(postgres_house, _LOOKUP, 4)
    _killed(postgres_house, Fault("drip", path=_ITEMS, method="POST", after=12, seconds=1), 13)
    postgres_house.execute("UPDATE nodes SET heartbeat_at = heartbeat_at - interval '1 hour'")
    _recovered(postgres_house).stop()
    assert _there(postgres_house) == sorted(str(row["id"]) for row in postgres_house.sandbox.rows("devices"))
    assert _told(postgres_house) == ([], [])


def test_a_lost_answer_stops_nobody(house: House) -> None:
    """A held row is told; a person who looked says so, and it is as any other."""
    _configured(house, "", 1)
    house.sandbox.fault(Fault("lost_answer", path=_ITEMS, method="POST", after=3))
    daemon = house.start()
    wait_for(lambda: house.runs("devices", RunState.SUCCEEDED), "a run that succeeded")
    (reason,), (state,) = _told(house)
    assert (state, "look whether it is there" in reason) == ("in_doubt", True)
    key = reason.split(": ")[1]
    asked = house.launch("trigger", "devices", "--param", f"arrived={key}", "--wait")
    assert asked.left() == 0, asked.errors.read_text()
    assert _told(house) == ([], [])
    daemon.stop()
    assert _there(house) == sorted(str(row["id"]) for row in house.sandbox.rows("devices"))
