"""The sandbox's own pages under /_sandbox, without a token: overview, call log, faults, rows and churn."""

from dataclasses import fields

import orjson
from aiohttp import web

from worker.sandbox import control_auth, control_rows
from worker.sandbox.answers import json_answer, number
from worker.sandbox.control_auth import controls_of
from worker.sandbox.faults import KINDS, Fault
from worker.sandbox.misbehave import Handler
from worker.sandbox.mislead import PLAYERS
from worker.sandbox.state import state_of

BASE = "/_sandbox"
PATHS = {
    "GET /": "this overview",
    "GET /calls": "the call log, oldest first; ?path=PREFIX, ?since=SERIAL",
    "DELETE /calls": "forget it",
    "GET /faults": "armed faults, with how often each was played",
    "POST /faults": "arm one: an object, or a list of them",
    "DELETE /faults": "take all away",
    **control_rows.PATHS,
    **control_auth.PATHS,
}
APIS = {
    "/mobproc/v1": "Tangoe-style API; tokens from POST /as/token.oauth2, /v2/token (JSON), /access_token (headers);"
    " implicit logins at /as/authorization.oauth2; GET /validate?access_token=",
    "/api/now": "ServiceNow-style APIs; tokens from POST /oauth_token.do; logins at /oauth_auth.do;"
    " /oauth_revoke_token.do?token=",
    "/idp": "IdP: /.well-known/oauth-authorization-server/idp, /idp/.well-known/openid-configuration; /idp/authorize,"
    " token, device, activate, introspect, revoke",
    "/idp/api": "items and echo for tokens of the IdP",
    "/basic": "items for HTTP basic",
    "/key": "items for an API key in x-api-key, x-sn-apikey or ?api_key=",
    "/generic/v1": "items for tokens of the Tangoe-style or ServiceNow-style API; here and behind the three doors above"
    " also feed, keyset, slices, orders and their lines, search, items.csv, items.ndjson, and writes to items",
}


async def overview(request: web.Request) -> web.Response:
    """Tells what there is: pages, APIs, kinds of faults, and who may come in, without a secret."""
    state = state_of(request)
    who = state.options.credentials
    paths = {}
    for name, text in PATHS.items():
        verb, path = name.split(" ", 1)
        paths[f"{verb} {BASE}{path}"] = text
    return json_answer(
        {
            "paths": paths,
            "apis": APIS,
            "faults": sorted(KINDS),
            "fault_kinds": {kind: (PLAYERS[kind].__doc__ or "").partition("\n")[0] for kind in sorted(KINDS)},
            "counts": state.world.counts(),
            "accounts": {one.name: getattr(who, one.name) for one in fields(who) if one.repr},
        }
    )


async def calls(request: web.Request) -> web.Response:
    """Shows the call log."""
    prefix = request.query.get("path", "")
    since = number(request, "since", 0, 0)
    found = controls_of(request).calls(prefix)
    return json_answer([record.plain() for record in found if record.serial > since])


async def forget_calls(request: web.Request) -> web.Response:
    """Empties the call log."""
    return json_answer({"forgotten": controls_of(request).forget_calls()})


async def faults(request: web.Request) -> web.Response:
    """Shows the armed faults."""
    return json_answer(controls_of(request).faults())


async def arm(request: web.Request) -> web.Response:
    """Arms one fault or several; none of them when one is wrong."""
    data = orjson.loads(await request.read())
    parsed = [Fault.parse(one) for one in (data if isinstance(data, list) else [data])]
    controls = controls_of(request)
    return json_answer({"armed": [controls.fault(fault) for fault in parsed]}, 201)


async def disarm(request: web.Request) -> web.Response:
    """Takes all faults away."""
    return json_answer({"cleared": controls_of(request).clear_faults()})


@web.middleware
async def explain(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turns what is wrong with a control request into a 400 or 404 that says so."""
    if not request.path.startswith(BASE):
        return await handler(request)
    try:
        return await handler(request)
    except KeyError as error:
        return json_answer({"error": str(error.args[0])}, 404)
    except ValueError as error:
        return json_answer({"error": str(error)}, 400)


def routes() -> list[web.RouteDef]:
    """Returns the routes of the control pages."""
    return [
        web.get(BASE, overview),
        web.get(f"{BASE}/", overview),
        web.get(f"{BASE}/calls", calls),
        web.delete(f"{BASE}/calls", forget_calls),
        web.get(f"{BASE}/faults", faults),
        web.post(f"{BASE}/faults", arm),
        web.delete(f"{BASE}/faults", disarm),
        *control_rows.routes(BASE),
        *control_auth.routes(BASE),
    ]
