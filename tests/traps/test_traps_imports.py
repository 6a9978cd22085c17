"""Import sets, in the order of apis.md 2.6: rows go over HTTP into a staging table, as the profile has it."""

from collections.abc import Mapping
from typing import Any

import pytest
import sqlalchemy as sa

from tests.traps.plant import Done, Plant
from worker.sandbox.faults import Fault
from worker.sandbox.server import Sandbox

_JOB = """
[jobs.{job}]
type = "sync"
schedule = "manual"
max_rejects = 100
source = {{ table = "from_{job}", key = "u_serial" }}

[jobs.{job}.destination]
account = "servicenow"
resource = "{resource}/u_{job}"
key = "u_serial"
{more}
"""


def _imported(
    plant: Plant, job: str, rows: list[Mapping[str, Any]], more: str = "", *, many: bool = False, timeout: str = "1m"
) -> Done:
    """Lets a job bring these rows of a table to the staging table of its name."""
    with plant.house.database.write() as connection:
        columns = (
            sa.Column("u_serial", sa.Text, primary_key=True),
            sa.Column("u_name", sa.Text),
            sa.Column("u_x", sa.Integer),
        )
        table = sa.Table(f"from_{job}", sa.MetaData(), *columns)
        table.drop(connection, checkfirst=True)
        table.create(connection)
        connection.execute(table.insert(), [{"u_x": None} | dict(row) for row in rows])
    if many:
        more += f'poll = {{ every = "10ms", item_key = "u_serial", timeout = "{timeout}" }}\n'
    resource = "import_set_many" if many else "import_set"
    return plant.run(job, _JOB.format(job=job, resource=resource, more=more))


def _rows(count: int, **changed: str) -> list[Mapping[str, Any]]:
    """Returns rows; `changed` gives some of them, by their serial, another name."""
    serials = [f"s{number}" for number in range(count)]
    return [{"u_serial": serial, "u_name": changed.get(serial, f"n{serial}")} for serial in serials]


def _made(sandbox: Sandbox, job: str) -> dict[str, str]:
    """Returns the names in the table that the transform map fills, by serial, none of which may come twice."""
    rows = sandbox.rows(f"u_{job}")
    assert len({row["u_serial"] for row in rows}) == len(rows)
    return {str(row["u_serial"]): str(row["u_name"]) for row in rows}


@pytest.mark.parametrize("many", [False, True], ids=["one by one", "many"])
def test_2_6_1_201_with_an_error_is_a_reject(plant: Plant, sandbox: Sandbox, many: bool) -> None:
    """The row's own words are its reason; the others are in."""
    job = f"i1_{many}".lower()
    done = _imported(plant, job, _rows(4, s2="!error"), many=many)
    assert (done.error, done.counts.written) == (None, 3)
    assert [reason for reason in done.rejects if "Unable to resolve a reference value (100)" in reason] == done.rejects
    assert len(done.rejects) == 1
    assert _made(sandbox, job) == {"s0": "ns0", "s1": "ns1", "s3": "ns3"}


@pytest.mark.parametrize("many", [False, True], ids=["one by one", "many"])
def test_2_6_1_a_skipped_row_is_a_reject(plant: Plant, sandbox: Sandbox, many: bool) -> None:
    """It has no value to coalesce on, and went nowhere."""
    job = f"i2_{many}".lower()
    sandbox.transform_map(f"u_{job}", f"u_{job}", ["u_name"])
    done = _imported(plant, job, [*_rows(2), {"u_serial": "s9", "u_name": ""}], many=many)
    assert done.error is None
    assert len(done.rejects) == 1
    assert "no value in the coalesce field u_name" in done.rejects[0]


def test_2_6_1_an_ignored_row_is_none(plant: Plant, sandbox: Sandbox) -> None:
    """The far end has it just so: it counts as delivered."""
    job = "i3"
    assert _imported(plant, job, _rows(3)).counts.written == 3
    plant.house.execute("DELETE FROM deliveries WHERE job = 'i3'")
    done = _imported(plant, job, _rows(3))
    assert (done.error, done.rejects, done.counts.written) == (None, [], 3)
    assert len(_made(sandbox, job)) == 3


def test_2_6_2_values_become_text(plant: Plant, sandbox: Sandbox) -> None:
    """Numbers too; a null is an empty text."""
    _imported(plant, "i4", [{"u_serial": "s0", "u_name": None, "u_x": 7}])
    (row,) = sandbox.rows("u_i4")
    assert (row["u_name"], row["u_x"]) == ("", "7")


def test_2_6_3_many_rows_are_transformed_after_the_answer(plant: Plant, sandbox: Sandbox) -> None:
    """The verdicts are read from the staging table, a few at a look, until each row has its own."""
    sandbox.trap(import_polls=2, import_batch=3)
    done = _imported(plant, "i5", _rows(8, s4="!error"), many=True)
    assert (done.error, done.counts.written, len(done.rejects)) == (None, 7, 1)
    assert len(_made(sandbox, "i5")) == 7


def test_2_6_3_many_rows_speak_in_labels(plant: Plant, sandbox: Sandbox) -> None:
    """An instance without a record that says otherwise knows the columns' labels only: the map writes them."""
    sandbox.trap(import_labels=True)
    plant.house.execute("CREATE TABLE from_i6 (u_serial TEXT PRIMARY KEY, u_name TEXT)")
    plant.house.execute("INSERT INTO from_i6 VALUES ('s1', 'x'), ('s2', 'y')")
    text = _JOB.format(job="i6", resource="import_set_many", more='poll = { every = "10ms" }\n')
    text = text.replace('key = "u_serial"\npoll', 'key = "Serial"\npoll')
    text = text.replace("max_rejects = 100", 'max_rejects = 100\nmap = { Serial = "u_serial", Name = "u_name" }')
    assert plant.run("i6", text).error is None
    assert _made(sandbox, "i6") == {"s1": "x", "s2": "y"}


def test_2_6_4_staged_rows_that_were_purged(plant: Plant, sandbox: Sandbox) -> None:
    """Before anybody read what became of them: nobody knows, so that they are held and told."""
    sandbox.trap(import_polls=1000)
    sandbox.after(1, "/api/now/table/u_i7", lambda _: _purge(sandbox))
    done = _imported(plant, "i7", _rows(3), many=True, timeout="100ms")
    with plant.house.database.read() as connection:
        states = connection.execute(sa.text("SELECT state FROM deliveries WHERE job = 'i7'")).scalars().all()
    assert (done.error, set(states), len(done.rejects)) == (None, {"in_doubt"}, 3)


def _purge(sandbox: Sandbox) -> None:
    sandbox.purge_staged("u_i7")


def test_2_6_4_201_without_a_body(plant: Plant, sandbox: Sandbox) -> None:
    """Access rules hid the result: the row counts as delivered, without an id, and somebody is told."""
    sandbox.trap(import_hidden=True)
    done = _imported(plant, "i8", _rows(2))
    assert (done.error, done.counts.written, done.rejects) == (None, 2, [])
    assert done.warned
    assert len(_made(sandbox, "i8")) == 2


def test_2_6_5_coalesce_makes_a_second_try_harmless(plant: Plant, sandbox: Sandbox) -> None:
    """An answer that never came: sent again, the row updates what the first try made."""
    sandbox.fault(Fault("lost_answer", path="/api/now/import", method="POST", after=1))
    more = 'in_doubt = "resend"\n'
    done = _imported(plant, "i9", _rows(4), more)
    if done.error is not None:
        done = _imported(plant, "i9", _rows(4), more)
    assert (done.error, done.rejects) == (None, [])
    assert len(_made(sandbox, "i9")) == 4


def test_2_6_5_without_coalesce_nothing_is_sent_again(plant: Plant, sandbox: Sandbox) -> None:
    """Each POST would insert: the row is held and told, and there once."""
    sandbox.transform_map("u_i10", "u_i10")
    sandbox.fault(Fault("lost_answer", path="/api/now/import", method="POST", after=1))
    done = _imported(plant, "i10", _rows(4))
    assert (done.error, len(done.rejects)) == (None, 1)
    assert "in doubt" in done.rejects[0]
    assert len(_made(sandbox, "i10")) == 4
    again = _imported(plant, "i10", _rows(4))
    assert again.counts.written == 0
    assert len(_made(sandbox, "i10")) == 4


def test_2_6_5_of_several_matches_the_first_is_updated(plant: Plant, sandbox: Sandbox) -> None:
    """Nobody is told by the far end; the other one stays as it was, and no third one is made."""
    sandbox.transform_map("u_i11", "u_i11")
    _imported(
        plant, "i11", [{"u_serial": "s1", "u_name": "same", "u_x": 1}, {"u_serial": "s2", "u_name": "same", "u_x": 2}]
    )
    sandbox.transform_map("u_i11", "u_i11", ["u_name"])
    done = _imported(plant, "i11", [{"u_serial": "s3", "u_name": "same", "u_x": 3}])
    assert (done.error, done.rejects) == (None, [])
    assert sorted(str(row["u_x"]) for row in sandbox.rows("u_i11")) == ["2", "3"]


def test_2_6_6_codes_of_rows_are_kept(plant: Plant) -> None:
    """100 reference, 200 choice, 300 list, 800 target, 900 script: they stand in the reject's reason."""
    done = _imported(plant, "i12", _rows(1, s0="!error"))
    assert "(100)" in done.rejects[0]
