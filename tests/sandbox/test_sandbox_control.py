"""The control pages under /_sandbox, and that a wrong request there is told what was expected."""

import pytest

from tests.sandbox.calling import Caller
from worker.sandbox.faults import KINDS


def test_the_overview_tells_what_there_is(caller: Caller) -> None:
    """Paths, faults, counts and accounts, and no secret."""
    for path in ("", "/"):
        answer = caller.control("GET", path)
        body = answer.json()
        assert body["faults"] == sorted(KINDS)
        assert body["counts"]["devices"] == 60
        assert body["accounts"]["tangoe_tenant"] == caller.who.tangoe_tenant
        assert "POST /_sandbox/faults" in body["paths"]
        for secret in (caller.who.tangoe_password, caller.who.servicenow_client_secret):
            assert secret not in answer.text


def test_calls_are_listed_and_forgotten(caller: Caller) -> None:
    """The log by path and from a serial on; control calls are not in it."""
    caller.tangoe("/ping")
    caller.tangoe("/orders", limit=3)
    calls = caller.control("GET", "/calls").json()
    assert [call["path"] for call in calls] == [
        "/as/token.oauth2",
        "/mobproc/v1/ping",
        "/as/token.oauth2",
        "/mobproc/v1/orders",
    ]
    assert calls[3]["query"] == {"limit": "3"}
    assert calls[3]["headers"]["X-TNGO-TENANT"] == caller.who.tangoe_tenant
    assert "Authorization" not in calls[3]["headers"]
    assert len(caller.control("GET", "/calls?path=/mobproc").json()) == 2
    assert len(caller.control("GET", f"/calls?since={calls[1]['serial']}").json()) == 2
    assert caller.control("DELETE", "/calls").json() == {"forgotten": 4}
    assert caller.control("GET", "/calls").json() == []


def test_faults_are_armed_listed_and_cleared(caller: Caller) -> None:
    """One or several; a wrong one in a list arms none."""
    assert caller.control("POST", "/faults", {"kind": "empty", "status": 202}).json() == {"armed": [1]}
    assert caller.control("POST", "/faults", [{"kind": "drop"}, {"kind": "html"}]).json() == {"armed": [2, 3]}
    assert caller.control("POST", "/faults", [{"kind": "drop"}, {"kind": "no"}]).status_code == 400
    assert [fault["kind"] for fault in caller.control("GET", "/faults").json()] == ["empty", "drop", "html"]
    assert caller.tangoe_token().status_code == 202
    assert caller.control("GET", "/faults").json()[0]["played"] == 1
    assert caller.control("DELETE", "/faults").json() == {"cleared": 3}


def test_rows_and_counts(caller: Caller) -> None:
    """All rows of a resource; 404 naming the resources for an unknown one."""
    assert len(caller.control("GET", "/rows/devices").json()) == 60
    assert caller.control("GET", "/counts").json()["sys_user"] == 60
    unknown = caller.control("GET", "/rows/nothing")
    assert unknown.status_code == 404
    assert "incident" in unknown.json()["error"]


def test_churn_changes_rows_now(caller: Caller) -> None:
    """Of one resource, or of each in turn."""
    before = caller.sandbox.rows("devices")
    assert caller.control("POST", "/churn", {"rows": 9, "resource": "devices"}).json() == {"devices": 9}
    after = caller.sandbox.rows("devices")
    assert sum(old != new for old, new in zip(before, after, strict=True)) == 9
    assert sum(caller.control("POST", "/churn", {"rows": 16}).json().values()) == 16
    assert caller.control("POST", "/churn", {"rows": 1, "resource": "nothing"}).status_code == 404


def test_rows_change_from_outside(caller: Caller) -> None:
    """Insert, update, silent update, touch and delete over HTTP, for tests in other processes."""
    made = caller.control("POST", "/rows/incident", {"row": {"number": "N1"}, "at": "2024-01-01 00:00:00"})
    key = made.json()["key"]
    assert made.status_code == 201
    assert key in caller.control("GET", "/ids/incident").json()
    assert caller.control("PATCH", f"/rows/incident/{key}", {"changed": {"state": "7"}, "silent": True}).json() == {
        "changed": ["state"]
    }
    row = next(row for row in caller.sandbox.rows("incident") if row["sys_id"] == key)
    assert (row["number"], row["state"], row["sys_updated_on"]) == ("N1", "7", "2024-01-01 00:00:00")
    touched = caller.control("POST", "/touch/incident", {"keys": [key], "at": "2026-01-01 00:00:00"}).json()
    assert touched == {"touched": [key]}
    assert len(caller.control("POST", "/touch/incident", {"keys": 5}).json()["touched"]) == 5
    assert caller.control("DELETE", f"/rows/incident/{key}").status_code == 200
    assert caller.control("DELETE", f"/rows/incident/{key}").status_code == 404
    assert caller.control("GET", "/rows/sys_audit_delete").json()[0]["documentkey"] == key


def test_habits_are_switched_from_outside(caller: Caller) -> None:
    """Traps, maps, purge and expiry over HTTP."""
    assert caller.control("POST", "/traps", {"hide_first": 60, "hide_keys": ["a"]}).status_code == 200
    assert caller.control("GET", "/traps").json()["hide_first"] == 60
    assert caller.now("/table/incident").json()["result"] == []
    assert caller.control("DELETE", "/traps").json() == {"cleared": True}
    assert len(caller.now("/table/incident").json()["result"]) == 60
    body = {"staging": "u_in", "target": "cmdb_ci", "coalesce": ["name"], "fields": {"u_name": "name"}}
    assert caller.control("POST", "/maps", body).status_code == 201
    assert caller.now("/import/u_in", "POST", {"u_name": "x"}).json()["result"][0]["table"] == "cmdb_ci"
    assert caller.control("POST", "/purge", {"staging": "u_in"}).json() == {"purged": 1}
    assert caller.control("POST", "/expire").json() == {"expired": True}


def test_revocation(caller: Caller) -> None:
    """Access tokens end and a refresh helps; families end and only a login does."""
    tokens = caller.tangoe_token().json()
    now = caller.now_token().json()
    assert caller.control("POST", "/revoke", {"what": "access", "api": "tangoe"}).json() == {"revoked": 1}
    assert caller.tangoe("/ping", caller.tangoe_headers(tokens["access_token"])).status_code == 403
    fresh = caller.refreshed(tokens["refresh_token"]).json()
    assert caller.tangoe("/ping", caller.tangoe_headers(fresh["access_token"])).status_code == 200
    assert caller.control("POST", "/revoke", {"what": "family"}).json()["revoked"] == 3
    assert caller.refreshed(fresh["refresh_token"]).status_code == 400
    refused = caller.now_token(grant_type="refresh_token", refresh_token=now["refresh_token"])
    assert refused.status_code == 401
    assert caller.now_token().json()["refresh_token"] != now["refresh_token"]


def test_password(caller: Caller) -> None:
    """A changed password is needed from now on."""
    caller.control("POST", "/password", {"api": "servicenow", "password": "another"})
    assert caller.now_token().status_code == 401
    assert caller.now_token(password="another").status_code == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/churn", {"rows": -1}),
        ("/churn", {"rows": "many"}),
        ("/churn", [1]),
        ("/revoke", {"what": "all"}),
        ("/traps", {"hide_last": 5}),
        ("/traps", {"shuffle": 1}),
        ("/touch/incident", {"keys": "all"}),
        ("/rows/incident", {"row": [1]}),
        ("/maps", {"staging": "u_in"}),
        ("/revoke", {"api": 5}),
        ("/faults", {"kind": "drop", "times": 1, "moon": "full"}),
    ],
)
def test_a_wrong_request_is_told_what_is_wrong(caller: Caller, path: str, body: object) -> None:
    """400 with a sentence."""
    answer = caller.control("POST", path, body)
    assert answer.status_code == 400
    assert len(answer.json()["error"]) > 10


def test_broken_json_is_400(caller: Caller) -> None:
    """A body that is no JSON is no crash."""
    answer = caller.session.post(f"{caller.sandbox.url}/_sandbox/faults", data="{", timeout=10)
    assert answer.status_code == 400
    assert caller.control("GET", "/calls?since=x").status_code == 400
