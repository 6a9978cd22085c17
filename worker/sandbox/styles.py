"""Two more token endpoints of the Tangoe-style server, each with the manners of another of the vendor's APIs.

`/v2/token` (Tangoe Mobile 2.x) takes a JSON body and tells `expires_at` in seconds since 1970; `/access_token`
(Tangoe's OAuth provider) takes every parameter, secrets included, as a header. Their tokens are good at the
Tangoe-style API.
"""

import time

from aiohttp import web

from worker.sandbox.paths import HEADER_TOKEN, JSON_TOKEN
from worker.sandbox.state import FORM, state_of
from worker.sandbox.tokenends import answer_token, token_answer


async def by_json(request: web.Request) -> web.Response:
    """Answers a token request in a JSON object; a form is refused."""
    if request.content_type != "application/json":
        text = f"parameters must come in a body of type application/json; found {request.content_type}"
        return token_answer((400, {"error": "invalid_request", "error_description": text}))
    status, body = answer_token(request, state_of(request).tangoe, list(request[FORM].items()))
    lifetime = body.pop("expires_in", None)
    if isinstance(lifetime, int | float):
        body["expires_at"] = int(time.time() + lifetime)
    return token_answer((status, body))


async def by_headers(request: web.Request) -> web.Response:
    """Answers a token request in headers; a body is not read, nor is HTTP basic."""
    return token_answer(answer_token(request, state_of(request).tangoe, list(request[FORM].items()), {}))


def routes() -> list[web.RouteDef]:
    """Returns the routes of both."""
    return [web.post(JSON_TOKEN, by_json), web.post(HEADER_TOKEN, by_headers)]
