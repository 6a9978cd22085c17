"""The token endpoints: grants, rotation, refusals, and what the call log keeps of them."""

import base64
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.sandbox.calling import Caller, Make
from worker.sandbox.options import Credentials, SandboxOptions

VALIDATE = "urn:pingidentity.com:oauth2:grant_type:validate_bearer"


def test_a_password_brings_both_tokens(caller: Caller) -> None:
    """The password grant answers with the four fields the vendor documents."""
    answer = caller.tangoe_token()
    assert answer.status_code == 200
    body = answer.json()
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 3600)
    assert body["access_token"] != body["refresh_token"]
    assert answer.headers["Cache-Control"] == "no-store"


def test_parameters_may_come_in_query_and_form(caller: Caller) -> None:
    """The Tangoe-style endpoint reads the query, the form and both at once."""
    who = caller.who
    secret = {"client_secret": who.tangoe_client_secret, "password": who.tangoe_password}
    rest = {"grant_type": "password", "client_id": who.tangoe_client_id, "username": who.tangoe_username}
    url = f"{caller.sandbox.url}/as/token.oauth2"
    assert requests.post(url, params=rest | secret, timeout=10).status_code == 200
    assert requests.post(url, params=rest, data=secret, timeout=10).status_code == 200


def test_a_parameter_with_two_values_is_refused(caller: Caller) -> None:
    """RFC 6749 3.2: a parameter must not come twice."""
    url = f"{caller.sandbox.url}/as/token.oauth2?username=somebody"
    form = {
        "grant_type": "password",
        "client_id": caller.who.tangoe_client_id,
        "client_secret": caller.who.tangoe_client_secret,
        "username": caller.who.tangoe_username,
        "password": caller.who.tangoe_password,
    }
    answer = requests.post(url, data=form, timeout=10)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_a_client_may_use_http_basic(make: Make) -> None:
    """Id and secret are form-encoded before base64, so a colon survives (RFC 6749 2.3.1)."""
    who = Credentials(tangoe_client_secret="a:b c%/ü")
    caller = make(SandboxOptions(rows=1, credentials=who))
    pair = f"{who.tangoe_client_id}:a%3Ab+c%25%2F%C3%BC".encode()
    answer = requests.post(
        f"{caller.sandbox.url}/as/token.oauth2",
        data={"grant_type": "password", "username": who.tangoe_username, "password": who.tangoe_password},
        headers={"Authorization": "Basic " + base64.b64encode(pair).decode()},
        timeout=10,
    )
    assert answer.status_code == 200
    assert caller.sandbox.token_requests()[0].client_id == who.tangoe_client_id


@pytest.mark.parametrize(
    ("given", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "wrong"}, 401, "invalid_client"),
        ({"password": "wrong"}, 400, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": "made-up"}, 400, "invalid_grant"),
        ({"grant_type": "magic"}, 400, "unsupported_grant_type"),
        ({"grant_type": ""}, 400, "invalid_request"),
        ({"username": ""}, 400, "invalid_request"),
        ({"scope": "EVERYTHING"}, 400, "invalid_scope"),
    ],
)
def test_refusals_follow_the_rfc(caller: Caller, given: dict[str, str], status: int, error: str) -> None:
    """Each mistake has the error code of RFC 6749 5.2 and gives no token."""
    answer = caller.tangoe_token(**given)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert "access_token" not in answer.json()


def test_a_client_without_the_grant_is_refused(make: Make) -> None:
    """client_credentials is for clients that may use it."""
    caller = make(SandboxOptions(rows=1, tangoe_grants=frozenset({"password"})))
    answer = caller.tangoe_token(grant_type="client_credentials")
    assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")


def test_client_credentials_bring_no_refresh_token(caller: Caller) -> None:
    """RFC 6749 4.4.3: no refresh token; the access token works."""
    for answer in (
        caller.tangoe_token(grant_type="client_credentials"),
        caller.now_token(grant_type="client_credentials"),
    ):
        assert answer.status_code == 200
        assert "refresh_token" not in answer.json()
    token = caller.tangoe_token(grant_type="client_credentials").json()["access_token"]
    assert caller.tangoe("/ping", caller.tangoe_headers(token)).status_code == 200


def test_a_refresh_token_is_good_once(caller: Caller) -> None:
    """Rotation: the second use fails, while the pair that the first one brought stays good."""
    first = caller.tangoe_token().json()
    second = caller.refreshed(first["refresh_token"])
    assert second.status_code == 200
    assert second.json()["refresh_token"] != first["refresh_token"]
    replay = caller.refreshed(first["refresh_token"])
    assert (replay.status_code, replay.json()["error"]) == (400, "invalid_grant")
    assert "used before" in replay.json()["error_description"]
    assert caller.refreshed(second.json()["refresh_token"]).status_code == 200


def test_a_replay_can_cost_the_family(make: Make) -> None:
    """With revoke_on_replay neither the new refresh token nor the new access token survives a replay."""
    caller = make(SandboxOptions(rows=1, revoke_on_replay=True))
    first = caller.tangoe_token().json()
    second = caller.refreshed(first["refresh_token"]).json()
    assert caller.refreshed(first["refresh_token"]).status_code == 400
    assert caller.refreshed(second["refresh_token"]).status_code == 400
    assert caller.tangoe("/ping", caller.tangoe_headers(second["access_token"])).status_code == 403


def test_eight_threads_on_one_rotating_token(caller: Caller) -> None:
    """Exactly one of eight refreshes of one token succeeds; the others learn that it was used."""
    refresh = caller.tangoe_token().json()["refresh_token"]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: caller.refreshed(refresh), range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7
    assert {answer.json().get("error") for answer in answers} == {None, "invalid_grant"}


def test_without_rotation_the_refresh_token_stays(make: Make) -> None:
    """rotate=False: the same refresh token comes back and works again."""
    caller = make(SandboxOptions(rows=1, rotate=False))
    first = caller.tangoe_token().json()
    second = caller.refreshed(first["refresh_token"]).json()
    assert second["refresh_token"] == first["refresh_token"]
    assert second["access_token"] != first["access_token"]
    assert caller.refreshed(first["refresh_token"]).status_code == 200


def test_the_older_access_token_may_end_with_the_refresh(make: Make) -> None:
    """retire_access decides whether calls in flight keep their token."""
    for retire, status in ((False, 200), (True, 403)):
        caller = make(SandboxOptions(rows=1, retire_access=retire))
        first = caller.tangoe_token().json()
        caller.refreshed(first["refresh_token"])
        assert caller.tangoe("/ping", caller.tangoe_headers(first["access_token"])).status_code == status


def test_tokens_expire(make: Make) -> None:
    """A lifetime of nothing: the access token is refused at once, the refresh token too."""
    caller = make(SandboxOptions(rows=1, token_lifetime_s=0.0, refresh_lifetime_s=0.0))
    body = caller.tangoe_token().json()
    assert body["expires_in"] == 0
    assert caller.tangoe("/ping", caller.tangoe_headers(body["access_token"])).status_code == 403
    answer = caller.refreshed(body["refresh_token"])
    assert "expired" in answer.json()["error_description"]


def test_validate_tells_what_a_token_is_worth(caller: Caller) -> None:
    """Ping's validate grant answers with an object where others have a token, and refuses a bad one."""
    token = caller.tangoe_token().json()["access_token"]
    answer = caller.tangoe_token(grant_type=VALIDATE, token=token).json()
    assert answer["client_id"] == caller.who.tangoe_client_id
    assert answer["access_token"]["domain"] == "command"
    assert answer["access_token"]["identifier"] == "svc-sync"
    assert answer["access_token"]["tenant"] == caller.who.tangoe_tenant
    assert 0 < answer["expires_in"] <= 3600
    bad = caller.tangoe_token(grant_type=VALIDATE, token="made-up")
    assert (bad.status_code, bad.json()["error"]) == (400, "invalid_grant")


def test_servicenow_gives_the_same_token_while_it_is_valid(caller: Caller) -> None:
    """Asking again, by password or refresh, returns the current pair."""
    first, again = caller.now_token().json(), caller.now_token().json()
    assert (first["access_token"], first["refresh_token"]) == (again["access_token"], again["refresh_token"])
    refreshed = caller.now_token(grant_type="refresh_token", refresh_token=first["refresh_token"]).json()
    assert refreshed["refresh_token"] == first["refresh_token"]
    caller.sandbox.revoke_access_tokens("servicenow")
    renewed = caller.now_token(grant_type="refresh_token", refresh_token=first["refresh_token"]).json()
    assert renewed["refresh_token"] == first["refresh_token"]
    assert renewed["access_token"] != first["access_token"]


def test_servicenow_words_its_refusals(caller: Caller) -> None:
    """A wrong password is 401 access_denied, whatever the reason; the call log knows the reason."""
    answer = caller.now_token(password="wrong")
    assert answer.status_code == 401
    assert answer.json() == {"error_description": "access_denied", "error": "server_error"}
    assert caller.sandbox.token_requests()[-1].error == "username or password is invalid"


def test_servicenow_takes_a_form_only(caller: Caller) -> None:
    """A JSON body is refused with what is expected."""
    answer = requests.post(f"{caller.sandbox.url}/oauth_token.do", json={"grant_type": "password"}, timeout=10)
    assert answer.status_code == 400
    assert "application/x-www-form-urlencoded" in answer.json()["error_description"]


def test_the_log_keeps_serials_and_no_secret(caller: Caller) -> None:
    """Token requests are logged with grant, account and serial numbers; no token, password or secret is."""
    first = caller.tangoe_token().json()
    second = caller.refreshed(first["refresh_token"]).json()
    caller.tangoe("/ping", caller.tangoe_headers(second["access_token"]))
    login, refresh, ping = caller.sandbox.calls()
    assert (login.grant_type, login.token_used, login.token_issued) == ("password", None, 1)
    assert login.account == caller.who.tangoe_username
    assert (refresh.grant_type, refresh.token_used, refresh.token_issued) == ("refresh_token", 1, 2)
    assert (ping.grant_type, ping.token_used, ping.account) == (None, 2, caller.who.tangoe_username)
    assert caller.sandbox.token_requests() == [login, refresh]
    shown = caller.control("GET", "/calls").text + repr(caller.sandbox.calls())
    tokens = [*first.values(), *second.values()]
    secrets = [one for one in tokens if isinstance(one, str) and len(one) > 20]
    for secret in (*secrets, caller.who.tangoe_password, caller.who.tangoe_client_secret):
        assert secret not in shown


def test_a_changed_password_is_needed_at_the_next_login(caller: Caller) -> None:
    """set_password refuses the old one, takes the new one and leaves tokens alone."""
    token = caller.tangoe_token().json()["access_token"]
    caller.sandbox.set_password("tangoe", "another")
    assert caller.tangoe_token().status_code == 400
    assert caller.tangoe_token(password="another").status_code == 200
    assert caller.tangoe("/ping", caller.tangoe_headers(token)).status_code == 200
