"""Logins for machines without a browser: a person types a code on another one (RFC 8628)."""

from dataclasses import dataclass
from datetime import datetime

from jobs.contract import Answer, BadAnswer, Json
from worker.auth.answer import Granted, Refusal, read_answer
from worker.auth.client import Parameters, client_part
from worker.auth.endpoint import TokenEndpoint
from worker.auth.invitation import Invitation, LoginDesk
from worker.auth.logingrants import DeviceCodeGrant
from worker.auth.refresh import Handed
from worker.auth.verdict import Verdict
from worker.model.errors import CallError, StoreError
from worker.model.records import Purpose
from worker.model.urls import web_url
from worker.vault.secret import Secret
from worker.wire.outgoing import About, Outgoing

_INTERVAL_S = 5.0  # where the answer has none (section 3.2)
_SLOWER_S = 5.0  # added by each slow_down (section 3.5)
_MOST_INTERVAL_S = 120.0
_MOST_LIFE_S = 3600.0
_OK = 200


@dataclass(frozen=True)
class _Begun:
    """A device login that waits for its person."""

    grant: DeviceCodeGrant
    invitation: Invitation
    interval_s: float


def by_device(desk: LoginDesk) -> Handed:
    """Returns the token once the person has agreed elsewhere; raises LoginFailed."""
    begun = _begin(desk)
    until_s = desk.clocks.elapsed_s() + begun.invitation.within_s
    desk.invite(begun.invitation)
    endpoint = TokenEndpoint(desk.account, desk.line, desk.endpoints, desk.clocks.now)
    interval_s = begun.interval_s
    while desk.clocks.elapsed_s() < until_s:
        desk.wait(interval_s)
        at, at_s = desk.clocks.now(), desk.clocks.elapsed_s()
        outcome = endpoint.ask(begun.grant, 0)
        if isinstance(outcome.result, Granted):
            return Handed(outcome.result, begun.grant.name, at, at_s, outcome.call_id)
        interval_s = _next_interval_s(desk, outcome.result, interval_s)
    raise desk.failed(f"nobody typed the code within {begun.invitation.within_s:.0f} s")


def _next_interval_s(desk: LoginDesk, refusal: Refusal, interval_s: float) -> float:
    """Returns how long to wait until the next question; raises LoginFailed where there is none (section 3.5)."""
    match refusal.code:
        case "authorization_pending":
            return interval_s
        case "slow_down":
            return interval_s + _SLOWER_S
        case "access_denied":
            raise desk.failed("the person, or the server, denied it")
        case "expired_token":
            raise desk.failed("the code lapsed before anybody typed it")
    if refusal.verdict is Verdict.TRANSIENT:  # also an answer that never came: the next one tells
        return min(max(interval_s * 2.0, refusal.retry_after_s or 0.0), _MOST_INTERVAL_S)
    raise desk.failed(refusal.message)


def _begin(desk: LoginDesk) -> _Begun:
    """Asks for a pair of codes (section 3.1)."""
    options = desk.account.options
    url = desk.endpoint(desk.endpoints.device(), "device_url")
    client = client_part(desk.account, url)
    named: Parameters = {"client_id": options.client_id}
    named |= {"scope": options.scope} if options.scope else {}
    outgoing = Outgoing(
        "POST", url, headers={"Accept": "application/json", **client.headers}, form=named | client.parameters
    )
    about = About(desk.account.name, Purpose.LOGIN, tenant=options.tenant or None)
    try:
        answer = desk.line.send(outgoing, about).answer
        body = answer.json() if answer.status == _OK else None
    except (CallError, StoreError, BadAnswer) as error:
        raise desk.failed(str(error)) from None
    if answer.status != _OK:
        raise desk.failed(_refusal(answer, desk.clocks.now()))
    begun = _begun(body) if isinstance(body, dict) else None
    if begun is None:
        raise desk.failed(f"{answer.url} answered without device_code, user_code and a verification_uri")
    return begun


def _refusal(answer: Answer, now: datetime) -> str:
    found = read_answer(answer, DeviceCodeGrant(Secret("")), now)
    return found.message if isinstance(found, Refusal) else f"{answer.url} answered {answer.status}"


def _begun(body: dict[str, Json]) -> _Begun | None:
    """Returns what an answer begins (section 3.2), None where something is missing; some write `verification_url`."""
    device_code, user_code = body.get("device_code"), body.get("user_code")
    page = _page(body.get("verification_uri", body.get("verification_url")))
    if not isinstance(device_code, str) or not isinstance(user_code, str) or not (device_code and user_code and page):
        return None
    whole = _page(body.get("verification_uri_complete"))
    life_s = min(_seconds(body.get("expires_in"), _MOST_LIFE_S), _MOST_LIFE_S)
    invitation = Invitation(page, life_s, user_code, whole)
    interval_s = min(_seconds(body.get("interval"), _INTERVAL_S), life_s)
    return _Begun(DeviceCodeGrant(Secret(device_code)), invitation, interval_s)


def _seconds(value: Json, otherwise: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return otherwise
    return float(value) if value > 0 else otherwise


def _page(value: Json) -> str:
    """Returns a page that may be shown to a person and opened, empty where it is none."""
    if not isinstance(value, str):
        return ""
    try:
        web_url(value.partition("?")[0])
    except ValueError:
        return ""
    return value
