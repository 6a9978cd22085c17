"""The same items behind other doors: the IdP's tokens, HTTP basic, an API key; and an echo of who came in how."""

from secrets import compare_digest

from aiohttp import web

from worker.sandbox.answers import Refusal, json_answer
from worker.sandbox.calllog import is_secret
from worker.sandbox.generic import behind, item_of, items_of, refuse
from worker.sandbox.identify import basic_pair
from worker.sandbox.paths import IDP
from worker.sandbox.state import State, identified, record_of, state_of
from worker.sandbox.tokens import Issued

API, BASIC, KEY = f"{IDP}/api", "/basic", "/key"
KEY_NAMES = ("x-api-key", "x-sn-apikey")
KEY_PARAM = "api_key"


def _challenge(refusal: Refusal, text: str) -> Refusal:
    refusal.response.headers["WWW-Authenticate"] = text
    return refusal


def _bearer(request: web.Request) -> Issued:
    """Returns the issue of the IdP's token that came along; raises Refusal (RFC 6750 3.1)."""
    issued = identified(request, state_of(request).idp)
    if issued is None:
        refusal = refuse(401, "invalid_token", "a valid bearer token of the IdP is needed")
        raise _challenge(refusal, 'Bearer realm="idp", error="invalid_token"')
    return issued


def by_idp(request: web.Request) -> State:
    """Admits a token of the IdP with the scope `read`; raises Refusal."""
    issued = _bearer(request)
    if "read" not in issued.subject.scope.split():
        refusal = refuse(403, "insufficient_scope", "the token lacks the scope read")
        raise _challenge(refusal, 'Bearer realm="idp", error="insufficient_scope", scope="read"')
    return state_of(request)


def by_basic(request: web.Request) -> State:
    """Admits the user of HTTP basic (RFC 7617, UTF-8); raises Refusal."""
    state = state_of(request)
    name, password = basic_pair(request.headers) or ("", "")
    record_of(request).account = name or None
    right = (state.options.credentials.basic_username, state.doors.basic_password)
    if (name, password) != right:
        record_of(request).error = "username or password is invalid"
        refusal = refuse(401, "unauthorized", "a username and a password by HTTP basic are needed")
        raise _challenge(refusal, 'Basic realm="sandbox", charset="UTF-8"')
    return state


def by_key(request: web.Request) -> State:
    """Admits the API key in a header or in the query; raises Refusal."""
    state = state_of(request)
    found = [request.headers[name] for name in KEY_NAMES if name in request.headers]
    given = (found or [request.query.get(KEY_PARAM, "")])[0]
    if not compare_digest(given.encode(errors="surrogateescape"), state.doors.api_key.encode()):
        record_of(request).error = "API key is unknown" if given else "API key is missing"
        raise refuse(401, "invalid_api_key", f"an API key is needed in {', '.join(KEY_NAMES)} or ?{KEY_PARAM}=")
    record_of(request).account = "api-key"
    return state


async def echo(request: web.Request) -> web.Response:
    """Shows who came in, with what token, which client certificate and which headers; nothing secret."""
    issued = _bearer(request)
    certificate = request.get_extra_info("peercert") or {}
    names = {key: value for part in certificate.get("subject", ()) for key, value in part}
    headers = {str(name): value for name, value in request.headers.items() if not is_secret(name)}
    return json_answer(
        {
            "account": issued.subject.username,
            "client_id": issued.subject.client_id,
            "scope": issued.subject.scope,
            "audience": list(issued.subject.audience),
            "token": issued.serial,
            "certificate": names.get("commonName"),
            "method": request.method,
            "headers": headers,
        }
    )


def routes() -> list[web.RouteDef]:
    """Returns the routes of all doors."""
    found = [web.get(f"{API}/echo", echo), web.post(f"{API}/echo", echo)]
    for base, admit in ((API, by_idp), (BASIC, by_basic), (KEY, by_key)):
        found.append(web.get(f"{base}/items", behind(admit, items_of("items"))))
        found.append(web.get(f"{base}/items/{{id}}", behind(admit, item_of("items"))))
    return found
