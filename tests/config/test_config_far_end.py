"""The profiles that come with the worker work at the far end they describe: the sandbox's APIs, over real HTTP."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import requests

from jobs.contract import Answer
from jobs.registry import job_class
from jobs.testing import MemoryContext, Request
from tests.config.loading import Load
from worker.config.load import Configuration
from worker.model.account import AccountOptions
from worker.sandbox.options import Credentials, SandboxOptions
from worker.sandbox.server import Sandbox

_ROWS = 230
_HIDE_EVERY = 5
_SMALL = "paging = { size = 40 }"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A far end with more rows than fit on a page, some of them hidden by access rules."""
    with Sandbox(SandboxOptions(rows=_ROWS, hide_every=_HIDE_EVERY)) as running:
        yield running


@pytest.fixture
def configuration(loaded: Load, sandbox: Sandbox) -> Configuration:
    """Jobs for every resource of both profiles, at the sandbox."""
    who = sandbox.options.credentials
    sources = {
        name: f'account = "tangoe", resource = "{name}"' for name in ("devices", "services", "orders", "employees")
    }
    sources |= {name: f'account = "now", resource = "{name}", {_SMALL}' for name in ("incident", "cmdb_ci")}
    sources["sys_user"] = f'account = "now", resource = "table/sys_user", {_SMALL}'
    jobs = (
        f'[jobs.{name}]\ntype = "sync"\nsource = {{ {source} }}\ndestination = {{ table = "{name}" }}\n'
        for name, source in sources.items()
    )
    return loaded(
        '[vault]\nkeys = { file = "k" }\n'
        f'[accounts.tangoe]\nprofile = "tangoe"\nbase_url = "{sandbox.tangoe_url}"\ntenant = "{who.tangoe_tenant}"\n'
        f'token_url = "{sandbox.url}/as/token.oauth2"\nclient_id = "{who.tangoe_client_id}"\n'
        f'client_secret = {{ env = "S" }}\nusername = "{who.tangoe_username}"\npassword = {{ env = "P" }}\n'
        "accept_password_grant = true\n"
        f'[accounts.now]\nprofile = "servicenow"\nbase_url = "{sandbox.servicenow_url}"\n'
        f'client_id = "{who.servicenow_client_id}"\nclient_secret = {{ env = "S" }}\n' + "".join(jobs)
    )


@dataclass(frozen=True)
class FarEnd:
    """Answers a job's requests from the sandbox, as one account with a token of its own."""

    account: AccountOptions
    session: requests.Session
    token: str

    def __call__(self, request: Request) -> Answer:
        """Returns the sandbox's answer; fails for a status of 400 or more."""
        filled = {name: text.format(**self.account.model_dump()) for name, text in self.account.headers.items()}
        url = request.path if "://" in request.path else f"{self.account.base_url}/{request.path.lstrip('/')}"
        got = self.session.get(
            url, params=dict(request.params), headers={**filled, "Authorization": f"Bearer {self.token}"}, timeout=10
        )
        assert got.status_code < 400, got.text
        headers = {name.lower(): value for name, value in got.headers.items()}
        return Answer(got.status_code, headers, got.content, got.url.partition("?")[0])


def _far_end(session: requests.Session, account: AccountOptions, who: Credentials) -> FarEnd:
    tangoe = account.profile == "tangoe"
    form = {
        "grant_type": account.grant,
        "client_id": account.client_id,
        "client_secret": who.tangoe_client_secret if tangoe else who.servicenow_client_secret,
        "scope": account.scope,
        "username": account.username,
        "password": who.tangoe_password if tangoe else "",
    }
    got = session.post(account.token_endpoint, data={key: value for key, value in form.items() if value}, timeout=10)
    assert got.status_code == 200, got.text
    return FarEnd(account, session, got.json()["access_token"])


@pytest.mark.parametrize("name", ["devices", "services", "orders", "employees", "incident", "cmdb_ci", "sys_user"])
def test_a_resource_is_read_whole_and_then_what_changed(
    sandbox: Sandbox, configuration: Configuration, name: str
) -> None:
    """The first run brings every row that may be seen, the second asks for changes only and doubles nothing."""
    job = configuration.jobs[name]
    account = job.options.model_dump()["source"]["account"]
    who = sandbox.options.credentials
    with requests.Session() as session:
        session.trust_env = False
        far_end = _far_end(session, configuration.accounts[account], who)
        with MemoryContext(answers=far_end) as context:
            job_class(job.type)(job.options).run(context)
            first = context.rows(name)
            asked = len(context.requests)
            job_class(job.type)(job.options).run(context)
            assert context.rows(name) == first
            again = dict(context.requests[asked].params)
    key = "sys_id" if account == "now" else "id"
    kept = {str(row[key]) for row in sandbox.rows(name)}
    seen = {row_id for row_id in kept if account == "tangoe" or int(row_id[:8], 16) % _HIDE_EVERY}
    assert {row[key] for row in first} == seen
    assert context.rejects == []
    assert asked > 1
    asked_since = again.get("sysparm_query", "").startswith("sys_updated_on>=2")
    assert asked_since or again.keys() & {"dateTimeUpdated", "dateTimeUpdatedOnOrAfter"}
