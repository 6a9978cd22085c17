"""Logins in a browser: the authorization code with PKCE, and the implicit grant for APIs that know nothing better.

RFC 6749 sections 4.1 and 4.2, RFC 7636 (PKCE, S256 only), RFC 8252 (native apps), RFC 9207 (who answered).
"""

import base64
import hashlib
import secrets
from urllib.parse import urlencode

from worker.auth.answer import Granted
from worker.auth.endpoint import TokenEndpoint
from worker.auth.handing import granted_from
from worker.auth.invitation import Invitation, LoginDesk
from worker.auth.logingrants import AuthorizationCodeGrant
from worker.auth.loopback import CannotListen, Delivery, Loopback
from worker.auth.refresh import Handed
from worker.auth.verdict import Verdict
from worker.vault.redact import redact
from worker.vault.secret import Secret
from worker.wire.packing import clear

_TRIES = 3  # of an exchange that surely did not reach the server, or was refused by a busy one
_BETWEEN_S = 2.0
_MOST_BETWEEN_S = 15.0  # a code lives for a minute or so
_PRIVATE = "use a private window: with this grant a browser keeps the token in its history"
_MOST_TEXT = 200  # characters of a description


def by_code(desk: LoginDesk) -> Handed:
    """Returns the token of a login with an authorization code, exchanged at once; raises LoginFailed."""
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    state = secrets.token_urlsafe(32)
    asked = {"response_type": "code", "state": state, "code_challenge": challenge, "code_challenge_method": "S256"}
    with _listening(desk, state, fragment=False) as server:
        delivery = _answered(desk, server, asked)
        code = delivery.get("code")
        if not isinstance(code, Secret) or not code.reveal():
            raise desk.failed("the browser brought no code")
        return _exchanged(desk, AuthorizationCodeGrant(code, Secret(verifier), server.redirect_uri))


def by_fragment(desk: LoginDesk) -> Handed:
    """Returns the token of an implicit login; only the access token is kept, for it is all that RFC 6749 allows.

    An API that is handed refresh tokens with each call (`bearer`) issues one here too, against section 4.2.2: that is
    kept then. Raises LoginFailed.
    """
    state = secrets.token_urlsafe(32)
    with _listening(desk, state, fragment=True) as server:
        at, at_s = desk.clocks.now(), desk.clocks.elapsed_s()
        delivery = _answered(desk, server, {"response_type": "token", "state": state})
    left_out = set() if desk.account.options.bearer == "refresh_token" else {"refresh_token"}
    body = {name: clear(value) for name, value in delivery.items() if name not in left_out}
    granted = granted_from(body, desk.clocks.now())
    if granted is None:
        raise desk.failed("the browser brought no usable access token")
    return Handed(granted, desk.account.options.grant, at, at_s)


def _listening(desk: LoginDesk, state: str, *, fragment: bool) -> Loopback:
    try:
        return Loopback(desk.account.options.redirect_url, state, fragment=fragment)
    except CannotListen as error:
        raise desk.failed(f"{error}; give redirect_url another port, or none where the server lets it vary") from None


def _answered(desk: LoginDesk, server: Loopback, asked: dict[str, str]) -> Delivery:
    """Sends a person to the authorization endpoint and returns what the browser brought back, checked."""
    options = desk.account.options
    base = desk.endpoint(desk.endpoints.authorize(), "authorize_url")
    named = {"client_id": options.client_id, "redirect_uri": server.redirect_uri}
    scope = {"scope": options.scope} if options.scope else {}
    pairs = [
        *(asked | named | scope | options.authorize_extra).items(),
        *(("resource", one) for one in options.resource),
    ]
    url = f"{base}{'&' if '?' in base else '?'}{urlencode(pairs)}"
    desk.invite(Invitation(url, desk.patience_s, advice=_PRIVATE if asked["response_type"] == "token" else ""))
    delivery = server.wait(desk.patience_s)
    if delivery is None:
        raise desk.failed(f"no browser came back within {desk.patience_s:.0f} s{_strangers(server.strange)}")
    _check(desk, delivery)
    return delivery


def _strangers(count: int) -> str:
    text = f"; what came had another state than was sent, or none ({count} times): it may be somebody else's login"
    return text if count else ""


def _check(desk: LoginDesk, delivery: Delivery) -> None:
    """Raises LoginFailed where the answer is not of our server, or a refusal."""
    issuer, named = desk.account.options.issuer, delivery.get("iss")
    if issuer and named is None and desk.endpoints.names_itself():
        raise desk.failed(f"the answer does not name its issuer, although {issuer} says that its answers do")
    if issuer and named not in (None, issuer):
        raise desk.failed(f"the answer is another issuer's than {issuer}")
    if "error" in delivery:
        told = [clear(delivery[key]) for key in ("error", "error_description") if delivery.get(key)]
        raise desk.failed(f"the server refused: {redact(': '.join(told))[:_MOST_TEXT]}")


def _exchanged(desk: LoginDesk, grant: AuthorizationCodeGrant) -> Handed:
    """Returns the token for a code; asks again only where the code surely was not used up."""
    endpoint = TokenEndpoint(desk.account, desk.line, desk.endpoints, desk.clocks.now)
    for left in reversed(range(_TRIES)):
        at, at_s = desk.clocks.now(), desk.clocks.elapsed_s()
        outcome = endpoint.ask(grant, 0)
        result = outcome.result
        if isinstance(result, Granted):
            return Handed(result, grant.name, at, at_s, outcome.call_id)
        if result.verdict is not Verdict.TRANSIENT or result.in_doubt or not left:
            raise desk.failed(result.message)
        desk.wait(min(max(result.retry_after_s or 0.0, _BETWEEN_S), _MOST_BETWEEN_S))
    raise AssertionError("the last try returned or raised")
