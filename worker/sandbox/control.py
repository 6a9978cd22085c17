"""The sandbox's own pages under /_sandbox: call log, faults, rows, churn and revocation, without a token."""

import orjson
from aiohttp import web

from worker.sandbox.answers import json_answer, number
from worker.sandbox.controls import Controls
from worker.sandbox.faults import KINDS, Fault
from worker.sandbox.misbehave import Handler
from worker.sandbox.state import state_of

BASE = "/_sandbox"
PATHS = {
    "GET /": "this overview",
    "GET /calls": "the call log, oldest first; ?path=PREFIX, ?since=SERIAL",
    "DELETE /calls": "forget it",
    "GET /faults": "armed faults, with how often each was played",
    "POST /faults": "arm one: an object, or a list of them",
    "DELETE /faults": "take all away",
    "GET /rows/{resource}": "all rows of a resource or staging table",
    "GET /counts": "rows by resource",
    "POST /churn": '{"rows": 10, "resource": "devices"}: change rows now; without resource, of each in turn',
    "POST /revoke": '{"what": "access" | "family", "api": "tangoe" | "servicenow"}: end tokens',
    "POST /password": '{"api": "tangoe" | "servicenow", "password": "..."}: change the user\'s password',
}


def _controls(request: web.Request) -> Controls:
    return Controls(state_of(request))


async def _sent(request: web.Request) -> dict[str, object]:
    """Returns the JSON object sent, an empty one for no body; raises ValueError."""
    raw = await request.read()
    data = orjson.loads(raw) if raw.strip() else {}
    if not isinstance(data, dict):
        msg = "expected a JSON object"
        raise ValueError(msg)  # noqa: TRY004 - what was sent is wrong, no type of ours
    return data


def _text(data: dict[str, object], name: str) -> str | None:
    value = data.get(name)
    if value is None or isinstance(value, str):
        return value
    msg = f"{name} must be text, found {value!r}"
    raise ValueError(msg)


async def overview(request: web.Request) -> web.Response:
    """Tells what there is."""
    state = state_of(request)
    who = state.options.credentials
    public = {
        "tangoe_client_id": who.tangoe_client_id,
        "tangoe_username": who.tangoe_username,
        "tangoe_tenant": who.tangoe_tenant,
        "servicenow_client_id": who.servicenow_client_id,
        "servicenow_username": who.servicenow_username,
    }
    paths = {
        f"{verb} {BASE}{path}": text for (verb, path), text in ((tuple(k.split(" ", 1)), v) for k, v in PATHS.items())
    }
    return json_answer({"paths": paths, "faults": sorted(KINDS), "counts": state.world.counts(), "accounts": public})


async def calls(request: web.Request) -> web.Response:
    """Shows the call log."""
    prefix = request.query.get("path", "")
    since = number(request, "since", 0, 0)
    found = _controls(request).calls(prefix)
    return json_answer([record.plain() for record in found if record.serial > since])


async def forget_calls(request: web.Request) -> web.Response:
    """Empties the call log."""
    return json_answer({"forgotten": _controls(request).forget_calls()})


async def faults(request: web.Request) -> web.Response:
    """Shows the armed faults."""
    return json_answer(_controls(request).faults())


async def arm(request: web.Request) -> web.Response:
    """Arms one fault or several; none of them when one is wrong."""
    data = orjson.loads(await request.read())
    parsed = [Fault.parse(one) for one in (data if isinstance(data, list) else [data])]
    controls = _controls(request)
    return json_answer({"armed": [controls.fault(fault) for fault in parsed]}, 201)


async def disarm(request: web.Request) -> web.Response:
    """Takes all faults away."""
    return json_answer({"cleared": _controls(request).clear_faults()})


async def rows(request: web.Request) -> web.Response:
    """Shows all rows of a resource."""
    return json_answer(_controls(request).rows(request.match_info["resource"]))


async def counts(request: web.Request) -> web.Response:
    """Shows the number of rows by resource."""
    return json_answer(_controls(request).counts())


async def churn(request: web.Request) -> web.Response:
    """Changes rows now."""
    data = await _sent(request)
    wanted = data.get("rows", 1)
    if not isinstance(wanted, int) or wanted < 0:
        msg = f"rows must be a whole number, 0 or more; found {wanted!r}"
        raise ValueError(msg)
    return json_answer(_controls(request).churn(wanted, _text(data, "resource")))


async def revoke(request: web.Request) -> web.Response:
    """Ends access tokens, or whole families of them with their refresh tokens."""
    data = await _sent(request)
    what, api = _text(data, "what") or "access", _text(data, "api")
    controls = _controls(request)
    if what not in ("access", "family"):
        msg = f"what must be access or family; found {what!r}"
        raise ValueError(msg)
    ended = controls.revoke_access_tokens(api) if what == "access" else controls.revoke_family(api)
    return json_answer({"revoked": ended})


async def password(request: web.Request) -> web.Response:
    """Changes a user's password."""
    data = await _sent(request)
    _controls(request).set_password(_text(data, "api") or "", _text(data, "password") or "")
    return json_answer({"changed": True})


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
        web.get(f"{BASE}/rows/{{resource}}", rows),
        web.get(f"{BASE}/counts", counts),
        web.post(f"{BASE}/churn", churn),
        web.post(f"{BASE}/revoke", revoke),
        web.post(f"{BASE}/password", password),
    ]
