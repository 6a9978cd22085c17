"""On whose behalf a call is made, and what a 403 means where somebody can be asked about the token."""

import pytest

from tests.auth.keeping import WHO, Desk, idp_options
from tests.calls.asking import Asker
from tests.wire.farend import FarEnd, answer
from worker.auth.account import Account
from worker.calls.session import AccountApi, RunRef
from worker.model.errors import AuthRejected, CallFailed, CallRefused
from worker.model.records import Purpose
from worker.sandbox.faults import Fault
from worker.sandbox.options import SandboxOptions
from worker.sandbox.server import Sandbox
from worker.store.database import Database
from worker.store.writer import Writer
from worker.vault.secret import Secret

HEADERS = {"employee_id": "X-TNGO-CONTEXT-EMPLOYEEID", "hierarchy_id": "X-TNGO-CONTEXT-HIERARCHYID"}


def test_account_and_call_say_on_whose_behalf(asker: Asker) -> None:
    """The call's word goes before the account's, a blank one takes it back, a job's own header cannot forge it."""
    given = {"act_for": {"employee_id": "7", "hierarchy_id": " "}, "act_for_headers": HEADERS}
    with FarEnd(answer(b"[]")) as far:
        api = asker.api(far.url, **given)
        api.request("GET", "a", headers={"x-tngo-context-employeeid": "forged", "X-TNGO-CONTEXT-HIERARCHYID": "f"})
        api.request("GET", "b", act_for={"employee_id": "8", "hierarchy_id": "h"})
        api.request("GET", "c", act_for={"employee_id": ""})
    sent = [tuple(request.headers.get(name.lower()) for name in HEADERS.values()) for request in far.requests]
    assert sent == [("7", None), ("8", "h"), (None, None)]
    told = ["employee_id=7", "employee_id=8, hierarchy_id=h", None]
    assert [row.act_for for row in asker.bench.rows()] == told
    assert [event.act_for for event in asker.bench.told] == told


def test_name_without_a_header_is_refused_with_the_nearest(asker: Asker) -> None:
    """Nothing is sent on behalf of nobody."""
    with FarEnd(answer(b"[]")) as far:
        with pytest.raises(CallRefused, match='act_for names "employe_id"; did you mean "employee_id"'):
            asker.api(far.url, act_for_headers=HEADERS).request("GET", "a", act_for={"employe_id": "7"})
        assert not far.requests


def test_403_under_a_good_token_is_the_apis_own_answer(asker: Asker) -> None:
    """One question, no refresh, no second try; the error is the API's, not the credential's."""
    asker.tokens.good = True
    with FarEnd(answer(b'{"message": "not yours"}', "403 No")) as far:
        with pytest.raises(CallFailed, match=r"403 \(not yours\); check what the account may do"):
            asker.api(far.url).request("GET", "x")
        assert len(far.requests) == 1
    assert (asker.tokens.asked, asker.tokens.doubted) == ([None], [1])


def test_401_costs_no_question(asker: Asker) -> None:
    """A 401 is about the token by its definition (RFC 9110 section 15.5.2)."""
    asker.tokens.good = True
    with FarEnd(answer(b"", "401 No"), answer(b"[]")) as far:
        asker.api(far.url).request("GET", "x")
    assert (asker.tokens.asked, asker.tokens.doubted) == ([None, 1], [])


def test_403_under_a_token_nobody_vouches_for_costs_one_refresh(asker: Asker) -> None:
    """One question, one newer token, and then an end."""
    with FarEnd(answer(b"", "403 No")) as far, pytest.raises(AuthRejected):
        asker.api(far.url).request("GET", "x")
    assert (asker.tokens.asked, asker.tokens.doubted) == ([None, 1], [1])


@pytest.mark.parametrize("revoked", [True, False])
def test_authorization_server_is_asked_before_a_403_costs_a_refresh(
    database: Database, writer: Writer, revoked: bool
) -> None:
    """Over real HTTP: introspection settles whether a 403 is about the token; each question is a call of the run."""
    with Sandbox(SandboxOptions(rows=5)) as sandbox:
        desk = Desk(database, writer, sandbox.url)
        given = idp_options(sandbox.url, base_url=f"{sandbox.url}/idp/api", reject_statuses=(401, 403), scope="read")
        account = Account("tangoe", given, Secret(WHO.idp_client_secret), None)
        shared = AccountApi(account, desk.line(), desk.keeper(account), desk.events, wait=lambda _: None)
        api = shared.bind(RunRef("devices", 8, 1, lambda: None, lambda: 600.0))
        api.request("GET", "items")
        sandbox.fault(Fault(kind="status", path="/idp/api", status=403, times=1))
        if revoked:
            sandbox.revoke_access_tokens()
            assert api.request("GET", "items").status == 200
        else:
            with pytest.raises(CallFailed):
                api.request("GET", "items")
        api.settle()
        desk.close()
    asked = [row for row in desk.trail() if row.purpose is Purpose.VALIDATE]
    assert [(row.run_id, row.generation_used) for row in asked] == [(8, 1)]
    assert desk.row().generation == (2 if revoked else 1)
