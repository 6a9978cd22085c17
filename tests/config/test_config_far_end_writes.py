"""What ServiceNow's profile says of writing, at the sandbox: Tangoe's devices go there by names and keys alone."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from jobs.contract import Answer, FailedAnswer, RejectLimit, Window
from jobs.sync import Sync, SyncOptions
from jobs.testing import MemoryContext, Request
from tests.config.loading import Load
from tests.sandbox.calling import Caller
from worker.sandbox.options import SandboxOptions
from worker.sandbox.server import Sandbox
from worker.sandbox.transform import POISON

ROWS = 230
_ACCOUNTS = """\
[vault]
keys = { file = "worker.keys" }
[accounts.tangoe]
profile = "tangoe"
base_url = "https://tangoe.example.com/mobproc/v1"
tenant = "T"
client_id = "me"
client_secret = { env = "S" }
accept_password_grant = true
username = "command://me"
password = { env = "P" }
[accounts.now]
profile = "servicenow"
base_url = "https://now.example.com"
client_id = "me"
client_secret = { env = "S" }
"""

# What is retired, the import set refuses: the sandbox takes this text for a reference that leads nowhere.
_MAP = f"""{{ u_id = "id", u_name = "model", u_state = "status == 'RETIRED' && '{POISON}' || status" }}"""

Run = Callable[[str, str, MemoryContext], None]


@pytest.fixture
def caller() -> Iterator[Caller]:
    """A caller of a sandbox with some pages of rows."""
    with Sandbox(SandboxOptions(rows=ROWS)) as sandbox:
        calling = Caller(sandbox)
        with calling.session:
            yield calling


@pytest.fixture
def run(loaded: Load) -> Run:
    """Runs a sync job that is written as source and destination."""

    def run(source: str, destination: str, context: MemoryContext) -> None:
        text = f'[jobs.j]\ntype = "sync"\nsource = {{ {source} }}\ndestination = {{ {destination} }}\n'
        columns = f"map = {_MAP}\n" if "account" in destination else ""
        options = loaded(_ACCOUNTS + text + columns).jobs["j"].options
        Sync(cast("SyncOptions", options)).run(context)

    return run


def _context(caller: Caller) -> MemoryContext:
    bases = {"tangoe": caller.sandbox.tangoe_url, "now": caller.sandbox.servicenow_url}
    headers = {"tangoe": caller.tangoe_headers(), "now": caller.now_headers()}

    def script(request: Request) -> Answer:
        url = request.path if "://" in request.path else bases[request.account] + request.path
        sent: Any = {"params": dict(request.params), "headers": headers[request.account], "json": request.json}
        found = caller.session.request(request.method, url, timeout=10, **sent)
        if found.status_code >= 400:
            failed = FailedAnswer(found.text)
            failed.status, failed.body = found.status_code, found.content
            raise failed
        names = {name.lower(): value for name, value in found.headers.items()}
        return Answer(found.status_code, names, found.content, found.url)

    return MemoryContext(answers=script, window=Window(None, datetime.now(UTC) + timedelta(hours=1)))


@pytest.mark.parametrize(
    "end",
    [
        'resource = "import_set/u_devices"',
        'resource = "import_set_many/u_devices", poll = { every = "1ms" }',
        'resource = "import_set_many/u_devices", batch = 50, poll = { item_key = "u_id", every = "1ms" }',
    ],
)
def test_rows_go_into_an_import_set_and_errors_become_rejects(caller: Caller, run: Run, end: str) -> None:
    """A name and a key are enough: 201 with status=error is a reject with the reason, the others have their id.

    Of many rows sent at once each verdict is found, in their order or by their key, when all are there.
    """
    with _context(caller) as context:
        context.max_rejects = RejectLimit(count=ROWS)
        end = f'account = "now", key = "u_id", {end}'
        caller.sandbox.trap(import_polls=2, import_batch=30)
        run('account = "tangoe", resource = "devices"', end, context)
        retired = {str(row["id"]) for row in caller.sandbox.rows("devices") if row["status"] == "RETIRED"}
        assert 0 < len(retired) < ROWS
        assert {cast("Any", record)["id"] for record, _ in context.rejects} == retired
        assert all("Unable to resolve a reference value" in reason for _, reason in context.rejects)
        assert context.counts.written == ROWS - len(retired)
        run('account = "tangoe", resource = "devices", cursor = "none"', end, context)
        assert context.counts.unchanged >= ROWS - len(retired)


def test_rows_of_a_table_are_created_then_updated(caller: Caller, run: Run) -> None:
    """What the Table API answers names the row that the next state goes to; what it has no column for is not kept."""
    end = 'account = "now", resource = "table/incident", key = "u_id"'
    with _context(caller) as context:
        run('account = "tangoe", resource = "devices"', end, context)
        assert [request.method for request in context.requests if request.account == "now"] == ["POST"] * ROWS
        ids = {str(delivery.remote_id) for delivery in context.sent.values()}
        assert ids <= {str(row["sys_id"]) for row in caller.sandbox.rows("incident")}
        assert len(ids) == ROWS
        again = _context(caller)
        again.sent = {
            key: replace(delivery, fingerprint="another") if delivery.remote_id in sorted(ids)[:3] else delivery
            for key, delivery in context.sent.items()
        }
        run('account = "tangoe", resource = "devices"', end, again)
        paths = {(request.method, request.path) for request in again.requests if request.account == "now"}
        assert paths == {("PATCH", f"/api/now/table/incident/{remote}") for remote in sorted(ids)[:3]}
