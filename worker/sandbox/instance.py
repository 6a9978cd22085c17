"""Faults in the words of a ServiceNow instance in trouble: asleep, or with a transaction that was cancelled."""

import orjson
from aiohttp import web

from worker.sandbox.answers import json_answer
from worker.sandbox.faults import Fault
from worker.sandbox.misbehave import Handler, Player, act, payload
from worker.sandbox.weigh import cancelled_body, partial_body

_ASLEEP = b"""<!DOCTYPE html><html><head><title>Instance Hibernating page</title></head>
<body class="instance-hibernating-page"><h1>Your instance is hibernating</h1></body></html>"""


async def hibernating(_request: web.Request, _handler: Handler, fault: Fault) -> web.StreamResponse:
    """Answers with the page of a developer instance that sleeps: HTML, 200."""
    return web.Response(body=_ASLEEP, status=fault.status or 200, content_type="text/html", charset="utf-8")


async def cancelled(_request: web.Request, _handler: Handler, fault: Fault) -> web.StreamResponse:
    """Answers 200 with an error alone: the transaction took too long."""
    return json_answer(cancelled_body(), fault.status or 200)


async def partial(request: web.Request, handler: Handler, _fault: Fault) -> web.StreamResponse:
    """Acts and sends half of the rows with the error of a cancelled transaction after them."""
    answer = await act(request, handler)
    if answer.content_type == "application/json":
        answer.body = orjson.dumps(partial_body(orjson.loads(payload(answer) or b"null")))
    return answer


PLAYERS: dict[str, Player] = {"hibernating": hibernating, "cancelled": cancelled, "partial": partial}
