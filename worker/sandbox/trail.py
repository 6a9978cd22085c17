"""The middleware around every API call: opens its record, plays its fault, words what went wrong."""

from urllib.parse import unquote_plus

from aiohttp import web

from worker.sandbox.answers import Refusal, error_for
from worker.sandbox.calllog import TOKEN_PATHS, CallRecord, without_secrets
from worker.sandbox.faults import Fault
from worker.sandbox.misbehave import PLAYERS, Handler
from worker.sandbox.state import FORM, RECORD, state_of

_SILENT = frozenset({"drop", "lost_answer"})  # kinds that leave no status


@web.middleware
async def trail(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answers a call of the APIs and records it; the control pages pass by."""
    if request.path.startswith("/_sandbox"):
        return await handler(request)
    state = state_of(request)
    record = state.log.open(request.method, request.path, request.query, request.headers)
    request[RECORD] = record
    if request.path in TOKEN_PATHS:
        await _read_form(request, record)
    fault = state.faults.take(request.method, request.path, record.grant_type)
    if fault is None:
        answer: web.StreamResponse = await _answered(request, handler)
    else:
        record.fault = fault.kind
        answer = await _played(request, handler, fault)
    record.status = None if fault and fault.kind in _SILENT else answer.status
    return answer


async def _read_form(request: web.Request, record: CallRecord) -> None:
    form = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    request[FORM] = form
    record.form = without_secrets(form.items())
    record.grant_type = form.get("grant_type") or request.query.get("grant_type") or ""


async def _played(request: web.Request, handler: Handler, fault: Fault) -> web.StreamResponse:
    async def act(again: web.Request) -> web.StreamResponse:
        return await _answered(again, handler)

    return await PLAYERS[fault.kind](request, act, fault)


async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refusal as refusal:
        return refusal.response
    except web.HTTPException as error:
        text = f"{error.reason}: {request.method} {unquote_plus(request.path)}"
        return error_for(request.path, error.status, text)
