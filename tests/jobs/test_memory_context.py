"""The context for tests of one's own jobs keeps the contract."""

import pytest

from jobs.contract import BadAnswer, Context, Counts, Cursor, GiveUp, Interrupted, Job
from jobs.options import Options
from jobs.sync import Sync, SyncOptions
from jobs.testing import MemoryContext, answer


class Nothing(Options):
    """No options."""


class Touch(Job[Nothing]):
    """Reads one document and keeps its name."""

    options_model = Nothing

    def run(self, context: Context) -> None:
        """Stores what it read."""
        context.check()
        name = context.api("crm").request("GET", "/me", params={"full": "yes"}).json()["name"]
        with context.unit() as unit:
            unit.connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS names (name TEXT)")
            unit.connection.exec_driver_sql("INSERT INTO names VALUES (?)", (name,))
            unit.count(read=1, written=1)
            unit.advance(name)
            if name == "bad":
                unit.reject({"name": name}, "bad")
                raise GiveUp("bad")


def test_a_job_runs_without_a_worker() -> None:
    """Requests, rows, counts and cursor can be looked at afterwards."""
    with MemoryContext(answers=[{"name": "Ann"}]) as context:
        Touch(Nothing()).run(context)
        assert context.rows("names") == [{"name": "Ann"}]
        assert context.cursor() == Cursor("Ann", 1)
        assert context.counts == Counts(read=1, written=1)
        assert context.requests[0].account == "crm"
        assert context.requests[0].url == "https://api.test/me?full=yes"


def test_a_unit_that_fails_leaves_nothing() -> None:
    """As with the worker: rows, rejects, counts and cursor together or not at all."""
    with MemoryContext(answers=[{"name": "Ann"}, {"name": "bad"}]) as context:
        Touch(Nothing()).run(context)
        with pytest.raises(GiveUp):
            Touch(Nothing()).run(context)
        assert context.rows("names") == [{"name": "Ann"}]
        assert (context.cursor(), context.rejects) == (Cursor("Ann", 1), [])
        assert context.counts == Counts(read=1, written=1)


def test_the_script_may_raise_answer_or_end() -> None:
    """Errors are raised as an API would, and a request too many is a failed test."""
    with MemoryContext(answers=[BadAnswer("no"), answer([1], 202, {"x-a": "b"})]) as context:
        api = context.api("crm")
        with pytest.raises(BadAnswer, match="no"):
            api.request("GET", "/a")
        found = api.request("POST", "https://other.test/b", json={"n": 1}, headers={"h": "v"})
        assert (found.status, found.json(), found.headers["x-a"]) == (202, [1], "b")
        assert found.url == "https://other.test/b"
        assert (context.requests[1].json, context.requests[1].headers) == ({"n": 1}, {"h": "v"})
        with pytest.raises(AssertionError, match=r"no answer for the request to https://api\.test/c"):
            api.request("GET", "/c")


def test_it_can_interrupt() -> None:
    """A job's behaviour on cancellation can be tried at any of its checks."""
    with MemoryContext(answers=[{"name": "Ann"}], interrupt_after=0) as context:
        with pytest.raises(Interrupted):
            Touch(Nothing()).run(context)
        assert context.requests == []


@pytest.mark.parametrize("prefetch", [0, 2])
@pytest.mark.parametrize("origin", [{"table": "t"}, {"query": "SELECT * FROM t"}])
def test_a_database_in_memory_is_a_source_too(origin: dict[str, str], prefetch: int) -> None:
    """What is read is a copy as it stands, so that rows can be stored meanwhile."""
    options = {"source": origin | {"size": 1}, "destination": {"table": "u", "key": "id"}, "prefetch": prefetch}
    with MemoryContext() as context:
        with context.unit() as unit:
            unit.connection.exec_driver_sql("CREATE TABLE t (id INTEGER PRIMARY KEY)")
            unit.connection.exec_driver_sql("INSERT INTO t VALUES (1), (2), (3)")
        Sync(SyncOptions.model_validate(options)).run(context)
        assert context.rows("u") == [{"id": 1}, {"id": 2}, {"id": 3}]
