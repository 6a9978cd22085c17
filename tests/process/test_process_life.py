"""An ordinary life, from start to TERM: what the log, the trail, the ledger and the tables say of it afterwards."""

import re
from collections.abc import Iterator

import pytest

from tests.process.house import DEVICES, INCIDENTS, Daemon, House, wait_for
from tests.process.ledger import assert_every_second_once
from worker.model.records import Purpose, RunState
from worker.sandbox.options import SandboxOptions
from worker.sandbox.server import Sandbox

pytestmark = pytest.mark.process

_CALL_ID = "X-TNGO-CONTEXT-CORRELATIONID"


class Life:
    """What is left of one daemon that lived for some seconds, with tokens that lapse every three."""

    def __init__(self, house: House) -> None:
        self.house = house
        house.configure(DEVICES, INCIDENTS)
        assert not (house.folder / "worker.db").exists()
        self.daemon: Daemon = house.launch("run").ready()  # it makes the file and the schema
        wait_for(lambda: house.token().generation >= 2, "a refreshed token")
        house.sandbox.churn(20)
        wait_for(lambda: house.cursor() == house.newest(), "a cursor at the newest row")
        self.daemon.stop()


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    """Lives once for all tests of this file."""
    with Sandbox(SandboxOptions(rows=50, token_lifetime_s=3)) as sandbox:
        house = House(tmp_path_factory.mktemp("life") / "house", sandbox)
        try:
            yield Life(house)
        finally:
            house.close()


def test_each_request_has_its_row_and_each_row_its_request(life: Life) -> None:
    """The far end's log and the trail agree one to one, token requests included."""
    there = [(one.method, one.path, one.status) for one in life.house.sandbox.calls()]
    here = [(one.method, re.sub(r"^http://[^/]+|\?.*", "", one.url), one.status) for one in life.house.calls()]
    assert sorted(here) == sorted(there)
    assert {one.purpose for one in life.house.calls()} == {Purpose.TOKEN, Purpose.REFRESH, Purpose.READ}


def test_the_far_end_can_name_the_row(life: Life) -> None:
    """The call id that Tangoe was sent is the row's."""
    sent = {one.headers[_CALL_ID] for one in life.house.sandbox.calls("/mobproc")}
    assert sent == {str(one.id) for one in life.house.calls() if one.account == "tangoe" and one.purpose == "read"}


def test_each_call_is_one_line_of_the_log(life: Life) -> None:
    """Of every row there is one `call.finished`, which says as whom, for which run, what, and how it went."""
    lines = {line["call"]: line for line in life.daemon.lines("call.finished")}
    rows = {one.id: one for one in life.house.calls()}
    assert lines.keys() == rows.keys()
    for line in lines.values():
        row = rows[line["call"]]
        wanted = {
            "account": row.account,
            "tenant": row.tenant,
            "job": row.job,
            "run": row.run_id,
            "attempt": row.attempt,
            "method": row.method,
            "url": row.url,
            "status": row.status,
            "ms": row.ms,
            "bytes_in": row.bytes_in,
            "bytes_out": row.bytes_out,
            "generation": row.generation_used,
        }
        assert {key: value for key, value in wanted.items() if value is not None}.items() <= line.items()


def test_an_api_call_says_all_there_is_to_say(life: Life) -> None:
    """A call of Tangoe's API has tenant, job, run, attempt and the token's generation, in row and line."""
    reads = [
        line for line in life.daemon.lines("call.finished") if line["url"].startswith(life.house.sandbox.tangoe_url)
    ]
    assert reads
    assert all(
        {"tenant", "job", "run", "attempt", "generation", "status", "ms", "bytes_in"} <= line.keys() for line in reads
    )


def test_each_due_tick_has_its_row(life: Life) -> None:
    """From the first tick to the last each second is covered once: run, or skipped with a reason."""
    for job in ("devices", "incidents"):
        assert_every_second_once(life.house.runs(job))


def test_nothing_went_wrong(life: Life) -> None:
    """Neither an ordinary life nor its end is an error."""
    assert [line for line in life.daemon.lines() if line["level"] == "error"] == []


def test_nothing_is_left_open(life: Life) -> None:
    """After a clean stop no run runs, every run succeeded or was skipped, and every attempt ended."""
    for job in ("devices", "incidents"):
        assert {run.state for run in life.house.runs(job)} <= {RunState.SUCCEEDED, RunState.SKIPPED}


def test_rows_are_those_of_the_far_end(life: Life) -> None:
    """The destination holds each row once, as it was last changed."""
    assert life.house.rows() == life.house.rows_there()
