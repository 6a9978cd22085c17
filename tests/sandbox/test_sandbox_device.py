"""The device grant (RFC 8628): codes, polls, the person's answer, and the faults of a poll."""

from collections.abc import Iterator

import pytest

from tests.sandbox.calling import Make
from tests.sandbox.idpcalling import DEVICE, IdpCaller, Pairs
from worker.sandbox.faults import Fault
from worker.sandbox.options import IdpOptions, SandboxOptions

QUICK = SandboxOptions(rows=1, idp=IdpOptions(device_interval_s=0))


@pytest.fixture
def quick(make: Make) -> Iterator[IdpCaller]:
    """A client of an IdP that may be polled without a pause."""
    calling = IdpCaller(make(QUICK).sandbox)
    with calling.session:
        yield calling


def begun(idp: IdpCaller, **given: str) -> Pairs:
    """Begins a login as the public client and returns the answer."""
    answer = idp.post("/idp/device", {"client_id": idp.who.idp_public_client_id, **given})
    assert answer.status_code == 200
    body: Pairs = answer.json()
    return body


def polled(idp: IdpCaller, device_code: str) -> Pairs:
    """Polls once and returns the answer."""
    answer = idp.token(DEVICE, client_id=idp.who.idp_public_client_id, device_code=device_code)
    body: Pairs = answer.json()
    assert answer.status_code == (200 if "access_token" in body else 400)
    return body


def test_a_device_waits_for_the_person(quick: IdpCaller) -> None:
    """Pending until the user code is approved; then tokens of the user come, once."""
    login = begun(quick, scope="read")
    assert (login["interval"], login["expires_in"]) == (0, 600)
    assert login["verification_uri_complete"] == f"{login['verification_uri']}?user_code={login['user_code']}"
    assert polled(quick, login["device_code"])["error"] == "authorization_pending"
    assert quick.sandbox.decide_device(login["user_code"].lower()) == login["user_code"]
    tokens = polled(quick, login["device_code"])
    assert tokens["scope"] == "read"
    assert quick.api("/echo", tokens["access_token"]).json()["account"] == quick.who.idp_username
    assert polled(quick, login["device_code"])["error"] == "invalid_grant"
    name = quick.who.idp_public_client_id
    refreshed = quick.token("refresh_token", client_id=name, refresh_token=tokens["refresh_token"])
    assert refreshed.status_code == 200


def test_a_person_may_deny(quick: IdpCaller) -> None:
    """access_denied, also at the next poll."""
    login = begun(quick)
    quick.sandbox.decide_device(approve=False)
    assert [polled(quick, login["device_code"])["error"] for _ in range(2)] == ["access_denied"] * 2


def test_a_login_expires(make: Make) -> None:
    """expired_token; nobody can approve it any more."""
    idp = IdpCaller(make(SandboxOptions(rows=1, idp=IdpOptions(device_lifetime_s=0.0))).sandbox)
    with idp.session:
        login = begun(idp)
        assert polled(idp, login["device_code"])["error"] == "expired_token"
        with pytest.raises(KeyError, match="no device login waits for"):
            idp.sandbox.decide_device(login["user_code"])


def test_who_polls_too_early_is_slowed_down(idp: IdpCaller) -> None:
    """The second poll within the interval is told to slow down, and approval changes nothing about that."""
    login = begun(idp)
    assert login["interval"] == 5
    assert polled(idp, login["device_code"])["error"] == "authorization_pending"
    assert polled(idp, login["device_code"])["error"] == "slow_down"
    idp.sandbox.decide_device()
    assert polled(idp, login["device_code"])["error"] == "slow_down"


def test_the_control_page_answers_for_the_person(quick: IdpCaller) -> None:
    """By user code, or the newest; 404 when none waits, 400 for a wrong question."""
    first, second = begun(quick), begun(quick)
    url = f"{quick.sandbox.url}/_sandbox/device"

    def answered(body: Pairs) -> tuple[int, Pairs]:
        answer = quick.session.post(url, json=body, timeout=10)
        return answer.status_code, answer.json()

    assert answered({"approve": "yes"})[0] == 400
    assert answered({"user_code": 5})[0] == 400
    assert answered({"approve": True}) == (200, {"user_code": second["user_code"]})
    assert answered({"approve": False, "user_code": first["user_code"]})[0] == 200
    assert answered({"approve": True})[0] == 404
    assert polled(quick, first["device_code"])["error"] == "access_denied"
    assert "access_token" in polled(quick, second["device_code"])


def test_the_page_for_the_person(quick: IdpCaller) -> None:
    """The form holds the code of the complete address; its two buttons decide; a wrong code is told."""
    allowed, denied = begun(quick), begun(quick)
    page = quick.session.get(allowed["verification_uri_complete"], timeout=10)
    assert f'value="{allowed["user_code"]}"' in page.text
    assert "<script>" not in quick.get("/idp/activate", user_code='"><script>').text
    done = quick.post("/idp/activate", {"user_code": allowed["user_code"], "user": "auto"})
    assert "Allowed" in done.text
    assert "Denied" in quick.post("/idp/activate", {"user_code": denied["user_code"], "user": "deny"}).text
    assert quick.post("/idp/activate", {"user_code": "WRONG"}).status_code == 404
    assert "access_token" in polled(quick, allowed["device_code"])
    assert polled(quick, denied["device_code"])["error"] == "access_denied"


def test_a_client_with_a_secret_proves_itself(idp: IdpCaller) -> None:
    """At the device endpoint and at each poll; a code is bound to its client."""
    assert idp.post("/idp/device", {"client_id": idp.who.idp_client_id}).json()["error"] == "invalid_client"
    login = idp.post("/idp/device", {"resource": "https://api.example", **idp.secret()}).json()
    assert polled(idp, login["device_code"])["error"] == "invalid_grant"
    idp.sandbox.decide_device()
    token = idp.token(DEVICE, device_code=login["device_code"]).json()["access_token"]
    assert idp.introspect(token)["aud"] == ["https://api.example"]


@pytest.mark.parametrize(
    ("given", "error"),
    [({"client_id": "nobody"}, "invalid_request"), ({}, "invalid_request"), ({"scope": "all"}, "invalid_scope")],
)
def test_a_wrong_beginning_is_refused(idp: IdpCaller, given: dict[str, str], error: str) -> None:
    """No client, an unknown one, or a scope it may not have."""
    client = {"client_id": idp.who.idp_public_client_id} if "scope" in given else {}
    answer = idp.post("/idp/device", client | given)
    assert (answer.status_code, answer.json()["error"]) == (400, error)


def test_faults_of_a_poll(quick: IdpCaller) -> None:
    """Each is told once, to polls only; the login goes on as if nothing had been."""
    quick.sandbox.fault(Fault("authorization_pending"))
    quick.sandbox.fault(Fault("slow_down"))
    quick.sandbox.fault(Fault("expired_token"))
    login = begun(quick)
    assert quick.token("client_credentials").status_code == 200
    quick.sandbox.decide_device()
    told = [polled(quick, login["device_code"]).get("error") for _ in range(4)]
    assert told == ["authorization_pending", "slow_down", "expired_token", None]


def test_the_log_keeps_no_code(quick: IdpCaller) -> None:
    """Neither device code nor user code."""
    login = begun(quick)
    polled(quick, login["device_code"])
    quick.session.get(login["verification_uri_complete"], timeout=10)
    shown = repr(quick.sandbox.calls()) + quick.get("/_sandbox/calls").text
    assert login["device_code"] not in shown
    assert login["user_code"] not in shown
