"""Where browsers go: the authorization endpoints of the three servers, and the page where a person types a user code.

Nobody has to be there: a login is allowed at once. `?user=ask` shows a page with two links, `?user=deny` refuses.
"""

from collections.abc import Awaitable, Callable
from html import escape
from urllib.parse import parse_qs, urlencode, urlsplit

from aiohttp import web

from worker.sandbox.answers import origin
from worker.sandbox.controls import Controls
from worker.sandbox.oauth import LoginRefusedError
from worker.sandbox.paths import IDP, IDP_AUTHORIZE, NOW_AUTHORIZE, TANGOE_AUTHORIZE
from worker.sandbox.state import record_of, state_of

ACTIVATE = f"{IDP}/activate"
DENY = web.RequestKey("deny", bool)  # set by the fault of this name
_NO_STORE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


def _page(title: str, inside: str, status: int = 200) -> web.Response:
    text = f'<!DOCTYPE html><html lang="en"><head><title>{escape(title)}</title></head><body>{inside}</body></html>'
    return web.Response(text=text, status=status, content_type="text/html", headers=_NO_STORE)


def _question(request: web.Request) -> web.Response:
    """Shows who wants what, with a link to allow it and one to deny."""
    client = escape(request.query.get("client_id", "?"))

    def link(user: str) -> str:
        pairs = [*((name, value) for name, value in request.query.items() if name != "user"), ("user", user)]
        return escape(f"{request.path}?{urlencode(pairs)}")

    inside = f'<p>May <b>{client}</b> act for you?</p><a id="allow" href="{link("auto")}">Allow</a> '
    return _page("Sandbox login", inside + f'<a id="deny" href="{link("deny")}">Deny</a>')


def authorization(api: str, *, iss: bool = False) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Returns the handler of one server's authorization endpoint; `iss`: its answers name the issuer (RFC 9207)."""

    async def authorize(request: web.Request) -> web.Response:
        state = state_of(request)
        user = request.query.get("user", "auto")
        if user == "ask":
            return _question(request)
        record = record_of(request)
        record.client_id = request.query.get("client_id")
        authority = state.authorities()[api]
        try:
            allow = user != "deny" and DENY not in request
            url = f"{origin(request)}{request.path}?{urlencode(list(request.query.items()))}"
            location = authority.authorize(url, allow=allow)
        except LoginRefusedError as error:
            record.error = str(error)
            return _page("Sandbox login", f"<p>{escape(str(error))}</p>", 400)
        given = parse_qs(urlsplit(location).fragment)
        issued = authority.tokens.find(given.get("access_token", [""])[0])
        if issued is not None:
            record.account, record.token_issued = issued.subject.username, issued.serial
        if iss and state.options.idp.send_iss:
            location += "&" + urlencode({"iss": origin(request) + IDP})
        return web.Response(status=302, headers=_NO_STORE | {"Location": location})

    return authorize


async def activation(request: web.Request) -> web.Response:
    """Shows the form for a user code (RFC 8628 3.3)."""
    code = escape(request.query.get("user_code", ""))
    buttons = (
        '<button id="allow" name="user" value="auto">Allow</button> <button id="deny" name="user" value="deny">Deny'
    )
    return _page(
        "Sandbox device", f'<form method="post"><input name="user_code" value="{code}">{buttons}</button></form>'
    )


async def activate(request: web.Request) -> web.Response:
    """Takes the person's answer."""
    form = await request.post()
    approve = form.get("user", "auto") != "deny"
    try:
        Controls(state_of(request)).decide_device(str(form.get("user_code", "")), approve=approve)
    except KeyError as error:
        return _page("Sandbox device", f"<p>{escape(str(error.args[0]))}</p>", 404)
    return _page("Sandbox device", f"<p>{'Allowed' if approve else 'Denied'}; you may close this page.</p>")


def routes() -> list[web.RouteDef]:
    """Returns the routes of the pages for browsers."""
    return [
        web.get(IDP_AUTHORIZE, authorization("idp", iss=True)),
        web.get(TANGOE_AUTHORIZE, authorization("tangoe")),
        web.get(NOW_AUTHORIZE, authorization("servicenow")),
        web.get(ACTIVATE, activation),
        web.post(ACTIVATE, activate),
    ]
