"""Orders at the Tangoe-style API: a POST submits unless `confirm` says to try only, and 200 may carry an ERROR."""

import orjson
from aiohttp import web

from worker.sandbox.answers import Refusal, json_answer, tangoe_error
from worker.sandbox.state import State
from worker.sandbox.table import Row
from worker.sandbox.tangoe import BASE, admit
from worker.sandbox.transform import POISON

_TAKEN = ("externalOrderNumber", "type", "employee", "requestor", "lines", "currency", "expedite", "shipTo")


async def submit(request: web.Request) -> web.Response:
    """Takes an order; the same externalOrderNumber twice makes two orders."""
    state = admit(request)
    try:
        data = orjson.loads(await request.read())
    except orjson.JSONDecodeError as error:
        raise Refusal(tangoe_error(400, "INVALID_BODY", f"The body is not JSON: {error}")) from None
    if not isinstance(data, dict):
        raise Refusal(tangoe_error(400, "INVALID_BODY", "The body must be one JSON object."))
    problems = _problems(data)
    number = data.get("externalOrderNumber")
    if problems:
        return json_answer({"status": "ERROR", "externalOrderNumber": number, "errors": problems})
    only_try = request.query.get("confirm", str(data.get("confirm", ""))).lower() == "true"
    order_id = None if only_try else _made(state, data)
    return json_answer({"status": "SUCCESS", "id": order_id, "externalOrderNumber": number, "confirm": only_try})


def _problems(data: Row) -> list[Row]:
    found = [name for name in ("employee", "lines") if not data.get(name)]
    problems: list[Row] = [{"code": "MISSING_FIELD", "message": f"{name} is missing"} for name in found]
    if POISON in data.values():
        problems.append({"code": "INVALID_ORDER", "message": f"no field may be {POISON!r}"})
    return problems


def _made(state: State, data: Row) -> object:
    table = state.world.table("orders")
    given = {name: data[name] for name in _TAKEN if name in data}
    order = state.world.fresh("orders") | {"externalOrderNumber": None, "status": "SUBMITTED"} | given
    table.put(order | state.world.stamped(table))
    return order["id"]


def routes() -> list[web.RouteDef]:
    """Returns the route of new orders."""
    return [web.post(f"{BASE}/orders", submit)]
