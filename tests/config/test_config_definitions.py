"""A job's definition: its policy under [defaults], and a hash that changes when the definition does."""

import hashlib
from zoneinfo import ZoneInfo

import orjson
import pytest

from tests.config.loading import Load
from worker.config.jsonschema import json_schema


def test_defaults_lie_beneath_every_job(loaded: Load, good: str) -> None:
    """A job has what [defaults] says, unless it says it itself; tables are joined."""
    text = good.replace('type = "sync"', 'type = "sync"\nretry = { attempts = 7 }\noverlap = "queue"')
    defaults = '[defaults]\ntimeout = "1h"\noverlap = "skip"\nretry = { attempts = 2, backoff = "3s" }\n'
    policy = loaded(text + defaults).jobs["orders"].policy
    assert (policy.timeout, policy.overlap) == (3600.0, "queue")
    assert (policy.retry.attempts, policy.retry.backoff) == (7, 3.0)


def test_the_workers_zone_is_the_jobs(loaded: Load, good: str) -> None:
    """A job without a zone has the worker's, so that its definition is complete."""
    zoned = good.replace('type = "sync"', 'type = "sync"\ntimezone = "Asia/Tokyo"')
    worker = '[worker]\ntimezone = "Europe/Berlin"\n'
    assert loaded(good + worker).jobs["orders"].policy.timezone == ZoneInfo("Europe/Berlin")
    assert loaded(zoned + worker).jobs["orders"].policy.timezone == ZoneInfo("Asia/Tokyo")
    assert loaded(good).jobs["orders"].policy.timezone == ZoneInfo("UTC")


def test_a_job_tells_its_accounts(loaded: Load, good: str) -> None:
    """The accounts a job runs under are those its options refer to."""
    assert loaded(good).jobs["orders"].accounts == {"erp"}


def test_the_hash_is_of_the_text(loaded: Load, good: str) -> None:
    """The hash can be made from the stored text, which is JSON that a person can read."""
    job = loaded(good).jobs["orders"]
    assert job.hash == hashlib.sha256(job.text.encode()).hexdigest()
    assert orjson.loads(job.text)["source"] == {"account": "erp", "path": "/orders"}


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        (('path = "/orders"', 'path = "/order"'), True),
        (('type = "sync"', 'type = "sync"\ntimeout = "1m"'), True),
        (("[jobs.orders]", '[defaults]\ntimeout = "1m"\n[jobs.orders]'), True),
        (("[vault]", '[worker]\ntimezone = "Asia/Tokyo"\n[vault]'), True),
        (("[jobs.orders]", "# a comment\n[jobs.orders]"), False),
        (("[vault]", '[worker]\nname = "other"\n[vault]'), False),
        (('key = "id"', 'key = ["id"]'), False),
        (('account = "erp", path = "/orders"', 'path = "/orders", account = "erp"'), False),
    ],
)
def test_the_hash_changes_with_the_definition_alone(
    loaded: Load, good: str, change: tuple[str, str], *, differs: bool
) -> None:
    """Whatever alters the work alters the hash; order, comments and other sections do not."""
    before = loaded(good).jobs["orders"].hash
    assert (loaded(good.replace(*change)).jobs["orders"].hash != before) is differs


def test_the_hash_does_not_depend_on_the_folder(loaded: Load, good: str) -> None:
    """Two nodes with the same files in different folders agree: no absolute path is in a definition."""
    job = loaded(good).jobs["orders"]
    assert "/tmp" not in job.text


def test_the_schema_tells_jobs_by_type() -> None:
    """Every reference in the schema leads somewhere, and a job's form holds policy and options."""
    schema = json_schema()
    text = orjson.dumps(schema).decode()
    references = {part.split('"')[0] for part in text.split('"$ref":"#/$defs/')[1:]}
    assert references <= set(schema["$defs"])
    form = schema["$defs"]["job:sync"]
    assert form["properties"]["type"] == {"const": "sync"}
    assert {"schedule", "timeout", "retry", "source", "destination", "map"} <= set(form["properties"])
    assert form["required"] == ["destination", "source", "type"]
    assert "include" in schema["properties"]
    for part in ("DeletionsOptions", "ParentResource"):  # which a resource of the profile may be, too
        assert ["resource"] in [form["required"] for form in schema["$defs"][part]["anyOf"]]


def test_the_schema_has_no_default_that_could_not_be_written() -> None:
    """A duration's default would be a number of seconds, which the file does not take: it is left out."""
    policy = json_schema()["$defs"]["PolicyOptions"]["properties"]
    assert "default" not in policy["timeout"]
    assert policy["catch_up"]["default"] == "last"
