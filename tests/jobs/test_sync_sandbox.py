"""Sync against the sandbox over real HTTP: the habits of Tangoe-style and ServiceNow-style APIs."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from jobs.contract import Answer, BadAnswer, Window
from jobs.sync import Sync, SyncOptions
from jobs.testing import MemoryContext, Request
from tests.sandbox.calling import Caller
from worker.sandbox.options import SandboxOptions
from worker.sandbox.server import Sandbox

ROWS = 250


@pytest.fixture
def caller() -> Iterator[Caller]:
    """A caller of a sandbox with some pages of rows, of which access rules hide every third."""
    with Sandbox(SandboxOptions(rows=ROWS, hide_every=3)) as sandbox:
        calling = Caller(sandbox)
        with calling.session:
            yield calling


def over_http(caller: Caller, base: str, headers: dict[str, str]) -> Callable[[Request], Answer]:
    """Returns a script whose answers come from the sandbox."""

    def script(request: Request) -> Answer:
        url = request.path if "://" in request.path else base + request.path
        found: requests.Response = caller.session.get(url, params=dict(request.params), headers=headers, timeout=10)
        names = {name.lower(): value for name, value in found.headers.items()}
        return Answer(found.status_code, names, found.content, found.url)

    return script


def context_of(script: Callable[[Request], Answer]) -> MemoryContext:
    """Returns a context whose window ends after all that the sandbox does."""
    return MemoryContext(answers=script, window=Window(None, datetime.now(UTC) + timedelta(hours=1)))


def tangoe(size: int) -> Sync:
    """Returns a job that reads devices."""
    options: dict[str, Any] = {
        "source": {
            "account": "tangoe",
            "path": "/assets/devices",
            "records": "devices",
            "paging": {"kind": "offset", "size": size, "total": "_meta.totalCount", "snaps": True},
            "cursor": {"field": "updated", "param": "dateTimeUpdated", "lookback": "1s"},
        },
        "destination": {"table": "devices", "key": "id"},
    }
    return Sync(SyncOptions.model_validate(options))


def servicenow(field: str = "sys_updated_on") -> Sync:
    """Returns a job that reads incidents, filtered by this field."""
    options: dict[str, Any] = {
        "source": {
            "account": "now",
            "path": "/api/now/table/incident",
            "records": "result",
            "params": {"sysparm_query": "ORDERBYsys_id", "sysparm_limit": "7"},
            "paging": {"kind": "link"},
            "cursor": {
                "field": "sys_updated_on",
                "param": "sysparm_query",
                "template": field + ">={cursor}^ORDERBYsys_id",
                "format": "servicenow",
            },
        },
        "destination": {"table": "incidents", "key": "sys_id"},
    }
    return Sync(SyncOptions.model_validate(options))


def test_tangoe_devices_arrive_and_changes_follow(caller: Caller) -> None:
    """All pages of a snapping server, then only what changed since."""
    script = over_http(caller, caller.sandbox.tangoe_url, caller.tangoe_headers())
    with context_of(script) as context:
        tangoe(40).run(context)
        assert [row["id"] for row in context.rows("devices", "id")] == sorted(
            str(row["id"]) for row in caller.sandbox.rows("devices")
        )
        assert (context.counts.written, context.counts.pages, context.counts.expected) == (ROWS, 7, ROWS)
        caller.sandbox.churn(5, "devices")
        requested = len(context.requests)
        tangoe(40).run(context)
        assert len(context.requests) == requested + 1
        assert "dateTimeUpdated" in context.requests[-1].params
        stored = {row["id"]: row["updated"] for row in context.rows("devices")}
        assert {key: value[:19] for key, value in stored.items()} == {
            str(row["id"]): str(row["updated"])[:19] for row in caller.sandbox.rows("devices")
        }


def test_servicenow_pages_emptied_by_access_rules_are_not_the_end(caller: Caller) -> None:
    """Link headers lead over short pages: every visible row arrives."""
    token = caller.now_token().json()["access_token"]
    script = over_http(caller, caller.sandbox.servicenow_url, {"Authorization": f"Bearer {token}"})
    with context_of(script) as context:
        servicenow().run(context)
        visible = {str(row["sys_id"]) for row in caller.sandbox.rows("incident") if int(str(row["sys_id"])[:8], 16) % 3}
        assert {row["sys_id"] for row in context.rows("incidents")} == visible
        assert context.counts.expected == ROWS
        assert context.cursor().value is not None


def test_a_filter_that_servicenow_drops_is_noticed(caller: Caller) -> None:
    """A wrong name in the query is ignored by the server, and noticed here."""
    token = caller.now_token().json()["access_token"]
    script = over_http(caller, caller.sandbox.servicenow_url, {"Authorization": f"Bearer {token}"})
    with context_of(script) as context:
        servicenow().run(context)
        with pytest.raises(BadAnswer, match="left the filter out"):
            servicenow("sys_changed_on").run(context)
