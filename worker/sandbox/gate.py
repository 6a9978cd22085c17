"""The gate before every API: limits on length, pace and parallel requests, as the traps set them (apis.md 2.3, 2.5)."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from worker.sandbox.answers import error_for
from worker.sandbox.state import State

Proceed = Callable[[], Awaitable[web.StreamResponse]]
RULE = "sandbox: all requests of one user"


async def through(request: web.Request, state: State, proceed: Proceed) -> web.StreamResponse:
    """Returns what lies behind the gate, or the refusal of a request that is too long, too soon or one too many."""
    traps, gate = state.traps, state.gate
    if not request.path.startswith(traps.gate_path):
        return await proceed()
    if 0 < traps.url_limit < len(request.raw_path):
        return error_for(request.path, 414, f"the request target may have {traps.url_limit} characters")
    headers = _counted(state) if traps.rate_limit else {}
    if traps.rate_limit and gate.passed > traps.rate_limit:
        return _too_many(request, state, headers)
    if traps.parallel and gate.under_way >= traps.parallel:
        return web.Response(status=202)
    gate.under_way += 1
    gate.most = max(gate.most, gate.under_way)
    try:
        if traps.latency_s:
            await asyncio.sleep(traps.latency_s)
        answer = await proceed()
    finally:
        gate.under_way -= 1
    if headers and not answer.prepared:
        answer.headers.update(headers)
    return answer


def _counted(state: State) -> dict[str, str]:
    """Counts the request in its window and returns the headers that tell of the limit."""
    traps, gate = state.traps, state.gate
    now = time.monotonic()
    if gate.ends is None or now >= gate.ends:
        gate.passed, gate.ends = 0, now + traps.rate_window_s
    gate.passed += 1
    if not traps.rate_headers:
        return {}
    reset = math.ceil(time.time() + gate.ends - now)
    return {"X-RateLimit-Limit": str(traps.rate_limit), "X-RateLimit-Reset": str(reset), "X-RateLimit-Rule": RULE}


def _too_many(request: web.Request, state: State, headers: dict[str, str]) -> web.Response:
    answer = error_for(request.path, 429, "Rate limit exceeded")
    if headers and state.gate.ends is not None:
        wait = max(1, math.ceil(state.gate.ends - time.monotonic()))
        answer.headers.update(headers | {"Retry-After": str(wait)})
    return answer
