"""The control pages about credentials: end tokens, change secrets and manners, register keys, answer device logins."""

from collections.abc import Mapping

import orjson
from aiohttp import web

from worker.sandbox.answers import json_answer
from worker.sandbox.controls import Controls
from worker.sandbox.state import state_of

PATHS = {
    "POST /revoke": '{"what": "access" | "family", "api": "tangoe" | "servicenow" | "idp"}: end tokens',
    "POST /password": '{"api": "tangoe" | "servicenow" | "idp" | "basic" | "key", "password": "..."}: change a secret',
    "POST /manners": '{"api": "idp", "rotate": false, "retire": true, "revoke_on_replay": true, "lifetime_s": 5}: how'
    " tokens are treated from now on; without api, everywhere",
    "GET /keys": "key ids of the registered public keys by client",
    "POST /keys": '{"client_id": "...", "key": "PEM" | {JWK}, "kid": "..."}: register a client\'s public key',
    "POST /device": '{"approve": true, "user_code": "..."}: answer a device login; without a code the newest',
}


def controls_of(request: web.Request) -> Controls:
    """Returns the controls of the sandbox that got the request."""
    return Controls(state_of(request))


async def sent(request: web.Request) -> dict[str, object]:
    """Returns the JSON object sent, an empty one for no body; raises ValueError."""
    raw = await request.read()
    data = orjson.loads(raw) if raw.strip() else {}
    if not isinstance(data, dict):
        msg = "expected a JSON object"
        raise ValueError(msg)  # noqa: TRY004 - what was sent is wrong, no type of ours
    return data


def text_of(data: Mapping[str, object], name: str) -> str | None:
    """Returns a member that is text or missing; raises ValueError."""
    value = data.get(name)
    if value is None or isinstance(value, str):
        return value
    msg = f"{name} must be text, found {type(value).__name__}"
    raise ValueError(msg)


async def revoke(request: web.Request) -> web.Response:
    """Ends access tokens, or whole families of them with their refresh tokens."""
    data = await sent(request)
    what, api = text_of(data, "what") or "access", text_of(data, "api")
    controls = controls_of(request)
    if what not in ("access", "family"):
        msg = f"what must be access or family; found {what!r}"
        raise ValueError(msg)
    ended = controls.revoke_access_tokens(api) if what == "access" else controls.revoke_family(api)
    return json_answer({"revoked": ended})


async def password(request: web.Request) -> web.Response:
    """Changes a user's password or the API key."""
    data = await sent(request)
    controls_of(request).set_password(text_of(data, "api") or "", text_of(data, "password") or "")
    return json_answer({"changed": True})


async def manners(request: web.Request) -> web.Response:
    """Changes how tokens are treated."""
    data = await sent(request)
    changed = {name: value for name, value in data.items() if name != "api"}
    controls_of(request).set_manners(text_of(data, "api"), **changed)
    return json_answer({"changed": sorted(changed)})


async def keys(request: web.Request) -> web.Response:
    """Shows which keys are registered."""
    return json_answer(state_of(request).assertions.registered())


async def register(request: web.Request) -> web.Response:
    """Registers a client's public key."""
    data = await sent(request)
    client_id, key = text_of(data, "client_id"), data.get("key")
    if not client_id or not isinstance(key, str | dict):
        msg = "expected client_id and key, a PEM text or a JWK object"
        raise ValueError(msg)
    kid = controls_of(request).register_key(client_id, key, text_of(data, "kid"))
    return json_answer({"client_id": client_id, "kid": kid}, 201)


async def device(request: web.Request) -> web.Response:
    """Approves or denies a device login."""
    data = await sent(request)
    approve = data.get("approve", True)
    if not isinstance(approve, bool):
        msg = f"approve must be true or false, found {approve!r}"
        raise ValueError(msg)  # noqa: TRY004 - what was sent is wrong, no type of ours
    return json_answer({"user_code": controls_of(request).decide_device(text_of(data, "user_code"), approve=approve)})


def routes(base: str) -> list[web.RouteDef]:
    """Returns the routes of these pages below `base`."""
    return [
        web.post(f"{base}/revoke", revoke),
        web.post(f"{base}/password", password),
        web.post(f"{base}/manners", manners),
        web.get(f"{base}/keys", keys),
        web.post(f"{base}/keys", register),
        web.post(f"{base}/device", device),
    ]
