"""A preview beside a working daemon, on PostgreSQL and with rows elsewhere: what it tells is what a run then does."""

import orjson
import pytest
import sqlalchemy as sa

from tests.process.house import DEVICES, House
from worker.store.database import open_database

pytestmark = pytest.mark.process

JOBS = """
[databases.away]
url = "sqlite:///away.db"
""" + DEVICES.replace('{ every = "1s" }', '"manual"').replace("{ table =", '{ database = "away", table =')
HERE = (
    DEVICES.replace("jobs.devices", "jobs.here")
    .replace('{ every = "1s" }', '"manual"')
    .replace('= "devices" }', '= "here" }')
)


def preview(house: House, job: str) -> dict[str, object]:
    """Returns what a preview tells."""
    asked = house.launch("preview", job, "--rows", "100", "--json")
    assert asked.left() == 0, asked.errors.read_text()
    told: dict[str, object] = orjson.loads(asked.output.read_text())
    return told


@pytest.mark.parametrize(
    ("where", "job"),
    [("house", "devices"), pytest.param("postgres_house", "here", marks=pytest.mark.postgres)],
)
def test_what_it_tells_comes_true(request: pytest.FixtureRequest, where: str, job: str) -> None:
    """Three pages of new rows, then one that changed beside those of the look-back; tables come with runs only."""
    house: House = request.getfixturevalue(where)
    house.configure(JOBS, HERE)
    daemon = house.start()
    told = preview(house, job)
    assert (told["read"], told["written"], told["cursors"]) == (30, 30, {})
    assert tables(house) == []
    assert house.launch("trigger", job, "--wait").left() == 0
    assert house.runs(job)[0].counts.written == 50

    newest = house.newest()
    house.sandbox.update("devices", house.sandbox.ids("devices")[7])
    told = preview(house, job)
    assert (told["written"], told["cursors"]) == (1, {"": newest})
    assert house.launch("trigger", job, "--wait").left() == 0
    daemon.stop()
    last = house.runs(job)[-1].counts
    assert (last.written, last.unchanged) == (told["written"], told["unchanged"])
    assert len(house.runs(job)) == 2


def tables(house: House) -> list[str]:
    """Returns the tables that jobs have made, here and elsewhere."""
    with house.database.read() as connection:
        here = {"here", "_worker_cursors"} & set(sa.inspect(connection).get_table_names())
    if house.database.dialect == "postgresql":
        return sorted(here)
    away = open_database(f"sqlite:///{house.folder}/away.db")
    with away.read() as connection:
        found = sa.inspect(connection).get_table_names()
    away.close()
    return sorted([*here, *found])
