"""The ServiceNow-style token endpoint, and what all APIs of the instance do: admit a caller, read a body."""

import orjson
from aiohttp import web

from worker.sandbox.answers import Refusal, json_answer, now_error
from worker.sandbox.oauth import Answer
from worker.sandbox.paths import NOW_REVOKE, NOW_TOKEN
from worker.sandbox.state import FORM, State, identified, state_of
from worker.sandbox.tokenends import answer_token, note

_FORM = "application/x-www-form-urlencoded"


async def token(request: web.Request) -> web.Response:
    """Answers a token request; parameters count in the form body only."""
    if request.content_type != _FORM:
        text = f"parameters must come in a body of type {_FORM}; found {request.content_type}"
        return json_answer({"error_description": text, "error": "invalid_request"}, 400)
    answer = answer_token(request, state_of(request).servicenow, list(request[FORM].items()))
    status, body = _worded(answer)
    return json_answer(body, status, {"Cache-Control": "no-store"})


async def revoke(request: web.Request) -> web.Response:
    """Ends a token of the query or the form; it asks for no credential, as on a real instance."""
    state = state_of(request)
    given = request.query.get("token") or request[FORM].get("token", "")
    note(request, state.servicenow, {"token": given})
    issued = state.servicenow.tokens.find(given)
    if issued is not None:
        state.servicenow.tokens.end(issued, given)
    return web.Response(status=200)


def _worded(answer: Answer) -> Answer:
    """Returns the answer in the words of ServiceNow: any wrong credential is `access_denied`, 401."""
    status, body = answer
    if body.get("error") in ("invalid_client", "invalid_grant", "unauthorized_client"):
        return 401, {"error_description": "access_denied", "error": "server_error"}
    return status, body


def admit(request: web.Request) -> State:
    """Checks the bearer token; raises Refusal."""
    state = state_of(request)
    if identified(request, state.servicenow) is None:
        refused = now_error(401, "User Not Authenticated", "Required to provide Auth information")
        refused.headers["WWW-Authenticate"] = 'Bearer realm="Service-now"'
        raise Refusal(refused)
    return state


async def body_of(request: web.Request) -> dict[str, object]:
    """Returns the JSON object of a request's body; raises Refusal."""
    if request.content_type != "application/json":
        raise Refusal(now_error(415, "Unsupported content type", "Only application/json is taken here"))
    try:
        data = orjson.loads(await request.read())
    except orjson.JSONDecodeError as error:
        raise Refusal(now_error(400, "Exception while reading request", f"The body is not JSON: {error}")) from None
    if not isinstance(data, dict):
        raise Refusal(now_error(400, "Exception while reading request", "The body must be one JSON object"))
    return data


def routes() -> list[web.RouteDef]:
    """Returns the routes of the token endpoint."""
    return [web.post(NOW_TOKEN, token), web.get(NOW_REVOKE, revoke), web.post(NOW_REVOKE, revoke)]
