"""What a REST destination can be told, and how a configuration that contradicts itself is refused."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import ValidationError

from jobs.contract import Json, RejectLimit
from jobs.sinks.restoptions import RestDestinationOptions
from jobs.sync import Sync, SyncOptions
from jobs.testing import MemoryContext
from tests.jobs.crm import LOOKUP, UPDATE, Crm, options
from worker.config.load import load
from worker.model.errors import ConfigurationError

CONTRADICTIONS: list[tuple[dict[str, Json], str]] = [
    ({"key": []}, "at least 1"),
    ({"path": "/o?x=1"}, "parameters stand in params"),
    ({"path": "/o/{remote_id}"}, "known after the first delivery only"),
    ({"batch": 2, "path": "/o/{key}"}, "{key} cannot be filled in for several rows"),
    ({"batch": 2, "body": {"n": "{name}"}}, 'a batch needs "{rows}"'),
    ({"batch": 2, "body": {"n": 1}}, 'a batch needs "{rows}"'),
    ({"id": "", "update": UPDATE}, "id is missing"),
    ({"id": "", "write_back": {"column": "x"}}, "write_back: needs id"),
    ({"item_key": "key"}, "item_key: needs items"),
    ({"items": "r", "poll": {"path": "/p", "items": "r"}}, "write it in poll"),
    ({"poll": {"path": "/p"}}, "poll: needs done or items"),
    ({"in_doubt": "lookup"}, "go together"),
    ({"lookup": LOOKUP}, "go together"),
    ({"failed": "a["}, "expected a JMESPath"),
]


@pytest.mark.parametrize(("given", "words"), CONTRADICTIONS)
def test_what_contradicts_itself_is_refused(given: dict[str, Json], words: str) -> None:
    """When it is configured, with the key and the remedy."""
    with pytest.raises(ValidationError, match=words):
        options(**given)


def job(destination: dict[str, Any], **given: Json) -> Sync:
    """Returns a job that moves items to this destination."""
    source = {"account": "api", "path": "/items", "records": "items"}
    return Sync(SyncOptions.model_validate({"source": source, "destination": destination} | given))


CRM: dict[str, Any] = {"account": "crm", "path": "/orders/{key}", "method": "PUT", "key": "key"}
DELETE = {"delete": {"path": "/orders/{key}"}}


def test_a_sync_sends_what_it_maps() -> None:
    """From an API to another one; the second run has nothing to send."""
    crm = Crm()
    items = [{"id": 1, "n": {"x": "a"}}, {"id": 2, "n": {"x": "b"}}]
    with MemoryContext(answers=lambda asked: {"items": items} if asked.account == "api" else crm(asked)) as context:
        for _ in range(2):
            job(CRM, map={"key": "id", "name": "n.x"}).run(context)
        assert crm.orders == {"1": {"key": 1, "name": "a"}, "2": {"key": 2, "name": "b"}}
        assert (context.counts.written, context.counts.unchanged) == (2, 2)


def test_rejects_name_the_source_record_and_go_when_tried_again() -> None:
    """What the API refused comes again as it was read."""
    crm = Crm()
    items = [{"id": 1, "n": "!error"}]
    with MemoryContext(answers=lambda asked: {"items": items} if asked.account == "api" else crm(asked)) as context:
        moving = job(CRM, map={"key": "id", "name": "n"})
        context.max_rejects = type(context.max_rejects)(count=5)
        moving.run(context)
        assert [record for record, _ in context.rejects] == items
        context.params = {"rejects": True}
        context.rejects = [({"id": 1, "n": "mended"}, "as it was")]
        moving.run(context)
        assert (crm.orders, context.rejects) == ({"1": {"key": 1, "name": "mended"}}, [])


def test_a_number_that_json_cannot_hold_is_a_reject_in_run_and_preview() -> None:
    """A database has infinity; an API would be told null, and think that it was meant."""
    crm = Crm()
    with MemoryContext(answers=crm, max_rejects=RejectLimit(count=1)) as context:
        with context.unit() as unit:
            for statement in (
                "CREATE TABLE t (key INTEGER PRIMARY KEY, v FLOAT)",
                "INSERT INTO t VALUES (1, 1.5), (2, 9e999)",
            ):
                unit.connection.execute(sa.text(statement))
        moving = job(CRM, source={"table": "t"})
        context.dry = True
        assert [request.body for request in moving.preview(context, 20).requests] == [{"key": 1, "v": 1.5}]
        context.dry = False
        moving.run(context)
        assert crm.orders == {"1": {"key": 1, "v": 1.5}}
        assert {reason for _, reason in context.rejects} == {
            "v is inf, which JSON cannot hold; have the source or map give another value"
        }


@pytest.mark.parametrize(
    ("destination", "given", "words"),
    [
        (CRM, {"map": {"name": "n"}}, "map: the column key is missing, which the destination's key names"),
        (CRM | {"params": {"s": "{size}"}}, {"map": {"key": "id"}}, "the column size is missing, .* names in braces"),
        (CRM | {"id": "id", "write_back": {"column": "x"}}, {}, "the source has none"),
        (CRM | DELETE, {}, "destination.delete: .* add source.deletions, or leave delete out"),
        (CRM | DELETE, {"source": {"table": "t"}}, "destination.delete: .* add source.changed_only = true"),
    ],
)
def test_map_and_source_must_give_what_it_wants(
    destination: dict[str, Any], given: dict[str, Json], words: str
) -> None:
    """Told when it is configured."""
    with pytest.raises(ValidationError, match=words):
        job(destination, **given)


TELLING: list[dict[str, Json]] = [
    {"table": "t", "changed_only": True},
    {"account": "api", "path": "/items", "deletions": {"path": "/deleted", "key": {"key": "id"}}},
]


@pytest.mark.parametrize("source", TELLING)
def test_a_source_that_tells_what_is_gone_goes_with_delete(source: dict[str, Json]) -> None:
    """By rows marked as deleted, or by another resource."""
    options = job(CRM | DELETE, source=source).options
    assert isinstance(options.destination, RestDestinationOptions)
    assert options.destination.delete is not None


CONFIG = """
[vault]
keys = {{ file = "worker.keys" }}
[accounts.crm]
base_url = "https://crm.example.com"
grant = "api_key"
api_key = {{ env = "KEY" }}
[jobs.j]
type = "sync"
schedule = "manual"
source = {{ account = "crm", path = "/items" }}
destination = {destination}
"""
WRITTEN = [
    ('{ key = "id" }', "expected table, for rows that go into a database, or account, for rows that go to an API"),
    ('{ account = "crm", key = "id" }', "jobs.j.destination: path is missing"),
    ('{ account = "crm", path = "/x" }', "jobs.j.destination: key is missing"),
    ('{ account = "cmr", path = "/x", key = "id" }', 'unknown account "cmr"; did you mean "crm"?'),
    ('{ account = "crm", path = "/x", key = "id", bach = 2 }', 'unknown key "bach"; did you mean "batch"?'),
    (
        '{ account = "crm", path = "/x", key = "id", method = "GET" }',
        "method: expected one of 'POST'",
    ),
    ('{ account = "crm", path = "/x", key = "id", lookup = { path = "/y" } }', "go together"),
    ('{ account = "crm", path = "/x", key = "id", mode = "append" }', "does not go together with the other keys"),
    ('{ table = "t" }', "key is missing"),
]


@pytest.mark.parametrize(("destination", "words"), WRITTEN)
def test_a_wrong_destination_is_told_at_its_place(tmp_path: Path, destination: str, words: str) -> None:
    """As a person typed it: no tag of a union shows."""
    config = tmp_path / "config.toml"
    config.write_text(CONFIG.format(destination=destination))
    with pytest.raises(ConfigurationError) as caught:
        load(config, {})
    texts = [str(problem) for problem in caught.value.problems]
    assert any(words in text for text in texts), texts
    assert not any("rest" in text or "sql" in text for text in texts), texts
