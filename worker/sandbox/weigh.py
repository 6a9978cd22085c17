"""What becomes of a page on its way out: links to other hosts, 204 for an empty one, trouble for a heavy one."""

import asyncio

import orjson
from aiohttp import web

from worker.sandbox.answers import bytes_answer, error_for, origin
from worker.sandbox.state import State, state_of

CANCELLED = "Transaction cancelled: maximum execution time exceeded"
Members = dict[str, object]


def link_origin(request: web.Request) -> str:
    """Returns scheme and host for links in answers: the caller's spelling, or the foreign host of the traps."""
    return state_of(request).traps.link_host or origin(request)


def cancelled_body() -> Members:
    """Returns the members that tell of a transaction that was cancelled."""
    return {"error": {"message": CANCELLED, "detail": "maximum execution time exceeded"}, "status": "failure"}


def partial_body(data: object) -> object:
    """Returns an answer's object with half of its first list and the error appended."""
    if not isinstance(data, dict):
        return data
    return _halved(data) | cancelled_body()


def _halved(data: Members) -> Members:
    for name, value in data.items():
        if isinstance(value, list):
            return data | {name: value[: len(value) // 2]}
        if isinstance(value, dict) and any(isinstance(one, list) for one in value.values()):
            return data | {name: _halved(value)}
    return data


async def paged(request: web.Request, state: State, answer: web.Response, rows: int) -> web.Response:
    """Returns a page as the traps let it out; `rows` counts what the server had to look at."""
    traps = state.traps
    if traps.no_content and not rows:
        return web.Response(status=204)
    if not traps.heavy_rows or rows <= traps.heavy_rows:
        return answer
    return await _heavy(request, state, answer)


async def _heavy(request: web.Request, state: State, answer: web.Response) -> web.Response:
    body = answer.body if isinstance(answer.body, bytes) else b""
    kind = state.traps.heavy
    if kind == "hang":
        await asyncio.sleep(state.traps.hang_s)
        return answer
    if kind == "cut":
        return bytes_answer(body[: len(body) // 2], answer.status)
    if kind == "504":
        return error_for(request.path, 504, "the gateway waited too long")
    data = cancelled_body() if kind == "cancelled" else partial_body(orjson.loads(body))
    return bytes_answer(orjson.dumps(data), answer.status)
