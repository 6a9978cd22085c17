"""The middleware around every API call: opens its record, plays its fault, words what went wrong."""

from functools import partial
from urllib.parse import unquote_plus

import orjson
from aiohttp import web

from worker.sandbox.answers import Refusal, error_for
from worker.sandbox.calllog import CallRecord, without_secrets
from worker.sandbox.faults import Fault
from worker.sandbox.gate import through
from worker.sandbox.handoff import carried
from worker.sandbox.misbehave import Handler
from worker.sandbox.mislead import PLAYERS
from worker.sandbox.paths import FORM_PATHS, HEADER_TOKEN, JSON_TOKEN, TOKEN_PATHS
from worker.sandbox.state import FORM, HANDED, RECORD, state_of

_SILENT = frozenset({"drop", "lost_answer"})  # kinds that leave no status
_IN_HEADERS = (
    "grant_type",
    "client_id",
    "client_secret",
    "username",
    "password",
    "refresh_token",
    "scope",
    "audience",
)


@web.middleware
async def trail(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answers a call of the APIs and records it; the control pages pass by."""
    if request.path.startswith("/_sandbox"):
        return await handler(request)
    state = state_of(request)
    record = state.log.open(request.method, request.path, request.query, request.headers)
    request[RECORD] = record
    if request.path in FORM_PATHS:
        await _read_form(request, record)
    state.hooks.call(record)
    answer = await through(request, state, partial(_past_faults, request, handler))
    record.status = None if record.fault in _SILENT else answer.status
    return answer


async def _past_faults(request: web.Request, handler: Handler) -> web.StreamResponse:
    record = request[RECORD]
    fault = state_of(request).faults.take(request.method, request.path, record.grant_type)
    if fault is None:
        return await _answered(request, handler)
    record.fault = fault.kind
    return await _played(request, handler, fault)


async def _read_form(request: web.Request, record: CallRecord) -> None:
    form = request[FORM] = await _parameters(request)
    record.form = without_secrets(form.items())
    if request.path in TOKEN_PATHS:
        record.grant_type = form.get("grant_type") or request.query.get("grant_type") or ""


async def _parameters(request: web.Request) -> dict[str, str]:
    """Returns the parameters from where this endpoint looks for them: form, JSON object or headers."""
    if request.path == HEADER_TOKEN:
        found = {name: request.headers[name] for name in _IN_HEADERS if name in request.headers}
        return {name: value.encode(errors="replace").decode() for name, value in found.items()}  # bytes beyond UTF-8
    if request.path == JSON_TOKEN:
        return _texts(await request.read())
    return {name: value for name, value in (await request.post()).items() if isinstance(value, str)}


def _texts(body: bytes) -> dict[str, str]:
    try:
        data = orjson.loads(body)
    except ValueError:
        return {}
    found = data.items() if isinstance(data, dict) else ()
    return {name: value for name, value in found if isinstance(value, str)}


async def _played(request: web.Request, handler: Handler, fault: Fault) -> web.StreamResponse:
    async def act(again: web.Request) -> web.StreamResponse:
        return await _answered(again, handler)

    return await PLAYERS[fault.kind](request, act, fault)


async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    answer = await _handled(request, handler)
    options = state_of(request).options.handoff
    if options is not None and HANDED in request:
        return carried(answer, request[HANDED], options)
    return answer


async def _handled(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refusal as refusal:
        return refusal.response
    except web.HTTPException as error:
        text = f"{error.reason}: {request.method} {unquote_plus(request.path)}"
        return error_for(request.path, error.status, text)
