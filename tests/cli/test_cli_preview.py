"""The verb that shows what a run would do, on a real far end: what it tells, and that nothing stays but its calls."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from jobs.contract import Api, GiveUp
from tests.cli.conftest import Verb
from tests.process.house import DEVICES, House
from worker.cli.opening import opened
from worker.model.listening import Events
from worker.runs.preview import PreviewContext
from worker.sandbox.faults import Fault
from worker.sandbox.options import SandboxOptions
from worker.sandbox.server import Sandbox
from worker.wiring.alone import together

OUT = """
[jobs.out]
type = "sync"
schedule = "manual"
source = { table = "devices", changed_only = true }
map = { u_id = "id", u_serial = "serialNumber" }
destination = { account = "servicenow", resource = "import_set/u_devices", key = "u_id" }
"""
BAD = """
[jobs.bad]
type = "sync"
schedule = "manual"
source = { account = "tangoe", resource = "devices" }
map = { id = "id", n = "length(revision)" }
destination = { table = "bad", key = "id" }
"""
BY_HAND = DEVICES.replace('{ every = "1s" }', '"manual"')
TOUCHED = {"calls", "tokens", "accounts", "installation", "keyring", "boots"}  # by calls, whoever makes them
_USAGE = 2


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """An installation whose far end has 25 devices, ten a page."""
    with Sandbox(SandboxOptions(rows=25)) as sandbox:
        built = House(tmp_path / "house", sandbox)
        built.configure(BY_HAND, OUT, BAD)
        yield built
        built.close()


def kept(house: House) -> dict[str, list[Any]]:
    """Returns every row of every table, but for what calls leave behind."""
    with house.database.read() as connection:
        names = sorted(set(sa.inspect(connection).get_table_names()) - TOUCHED)
        return {name: list(connection.execute(sa.text(f"SELECT * FROM {name}")).all()) for name in names}


def test_nothing_stays_but_the_calls(house: House, worker: Verb) -> None:
    """No table, run, cursor or reject; the calls name the job and no run, and all of them read."""
    before = kept(house)
    said = worker("preview", "devices", "--config", house.config, "--json")
    assert (said.code, said.err) == (0, "")
    assert (said.json["read"], said.json["written"], said.json["pages"], said.json["expected"]) == (20, 20, 2, 25)
    assert len(said.json["rows"]) == 20
    assert {"name": "cost", "type": "float", "is_new": True} in said.json["columns"]
    assert kept(house) == before
    assert [(call.purpose, call.job, call.run_id) for call in house.calls()] == [
        ("token", None, None),
        ("read", "devices", None),
        ("read", "devices", None),
    ]


def test_a_terminal_gets_a_table(house: House, worker: Verb) -> None:
    """As wide as it is; counts and what is special stand above."""
    assert house.database.dialect == "sqlite"
    said = worker("preview", "devices", "--rows", 3, "--config", house.config, columns=80)
    lines = said.out.splitlines()
    assert lines[:4] == [
        "devices to the table devices",
        "10 of 25 read in 1 page: would be 10 written",
        "  the table devices would be made",
        "  a run reads on from here",
    ]
    assert "updated       timestamp  new" in lines
    assert [line[:11] for line in lines[-3:]] == ["DEV00000000", "DEV00000001", "DEV00000002"]
    assert max(map(len, lines)) <= 80


@pytest.mark.process
def test_beside_a_daemon_it_tells_what_is_new(house: House, worker: Verb) -> None:
    """What a run has stored is unchanged; would-be requests of the next job stand there and are not sent."""
    daemon = house.start()
    assert worker("trigger", "devices", "--wait", "--config", house.config).code == 0
    house.sandbox.update("devices", house.sandbox.ids("devices")[0])
    before = kept(house)["devices"]

    said = worker("preview", "devices", "--config", house.config, "--json").json
    assert said["written"] == 1
    assert not any(column["is_new"] for column in said["columns"])
    assert said["notes"] == [f"read on from the cursor, {house.cursor()}"]
    assert kept(house)["devices"] == before

    out = worker("preview", "out", "--rows", 1, "--config", house.config, columns=100).out
    assert "25 of 25 read in 1 page: would be 25 written" in out
    assert f"POST {house.sandbox.url}/api/now/import/u_devices" in out
    assert '{"u_id":"DEV00000000","u_serial":"SN' in out
    daemon.stop()
    assert house.sandbox.calls("/api/now") == []


def test_where_all_is_rejected_it_fails(house: House, worker: Verb) -> None:
    """It shows some and why, ends with 1, and keeps none of them."""
    before = kept(house)
    said = worker("preview", "bad", "--config", house.config, columns=100)
    assert said.code == 1
    assert "25 of 25 read in 1 page: would be 25 rejected" in said.out
    assert "a run would fail" in said.out
    assert "these are the first 5 of 25" in said.out
    assert "the path 'length(revision)' cannot be applied" in said.out
    assert said.err.startswith("error: all 25 records would be rejected: ")
    assert kept(house) == before


def test_what_the_source_raises_ends_it_as_a_run(house: House, worker: Verb) -> None:
    """One message, exit code 1; a call that is sent again is told of at once."""
    assert house.database.dialect == "sqlite"
    house.sandbox.fault(Fault("status", path="/mobproc", status=503))
    house.sandbox.fault(Fault("status", path="/mobproc", status=404))
    said = worker("preview", "devices", "--config", house.config)
    assert (said.code, said.out) == (1, "")
    assert "asked again in" in said.err
    assert "404" in said.err.splitlines()[-1]


def test_what_must_be_there_first(house: House, worker: Verb) -> None:
    """A database and the job."""
    said = worker("preview", "devices", "--config", house.config)
    assert (said.code, "`worker run` or `worker db upgrade` makes it" in said.err) == (1, True)
    assert house.database.dialect == "sqlite"
    assert worker("preview", "nobody", "--config", house.config).code == _USAGE
    said = worker("preview", "devices", "--param", "x", "--config", house.config)
    assert (said.code, "expected key=value" in said.err) == (_USAGE, True)


@pytest.mark.parametrize(("method", "reads"), [("POST", False), ("PUT", True), ("DELETE", True), ("post", False)])
def test_nothing_is_sent_that_may_change_something(house: House, method: str, *, reads: bool) -> None:
    """The context sees to that, whatever a job asks for; a POST that only reads goes out."""
    assert house.database.dialect == "sqlite"
    with opened(house.config) as (configuration, database):
        definition = configuration.jobs["devices"]
        with together(configuration, database, "devices", Events()) as resources:
            api: Api = PreviewContext(definition, resources, {}).api("tangoe")
            with pytest.raises(GiveUp, match="was not sent: it may change something"):
                api.request(method, "/assets/devices", reads=reads)
    assert house.sandbox.calls() == []
