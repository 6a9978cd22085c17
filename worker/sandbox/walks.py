"""More ways to walk the generic API: `/keyset`, parents and their children, and spans of time in `/slices`."""

from bisect import bisect_right
from datetime import UTC, datetime, timedelta

from aiohttp import web

from worker.sandbox.answers import json_answer, number
from worker.sandbox.generic import DEFAULT_SIZE, MOST, Act, one_of, refuse
from worker.sandbox.state import State
from worker.sandbox.table import Row, Table
from worker.sandbox.weigh import paged


async def _listed(request: web.Request, state: State, rows: list[Row], more: Row) -> web.Response:
    return await paged(request, state, json_answer({"items": rows} | more), len(rows))


async def keyset(request: web.Request, state: State) -> web.Response:
    """Answers with the items after `after_id`; with `since`, with those after (since, after_id) by (updated_at, id)."""
    table = state.world.table("items")
    size = number(request, "limit", DEFAULT_SIZE, 1, MOST)
    since, after = request.query.get("since"), request.query.get("after_id", "")
    if since is None:
        start = bisect_right(table.keys(), after)
        rows = table.slice_by_key(start, start + size)
    else:
        start = bisect_right(table.changed(), (_stamp(table, since, "since"), after))
        rows = table.slice_by_stamp(start, start + size)
    return await _listed(request, state, rows, {"has_more": start + size < len(table)})


def _stamp(table: Table, text: str, name: str) -> str:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        msg = f"parameter {name} must be an ISO 8601 date or time; found {text!r}"
        raise ValueError(msg) from None
    return table.bound(at if at.tzinfo else at.replace(tzinfo=UTC))


async def slices(request: web.Request, state: State) -> web.Response:
    """Answers with the items changed at or after `from` and before `to`; `page` and `per_page` as elsewhere."""
    table = state.world.table("items")
    first, last = (_stamp(table, request.query.get(name, ""), name) for name in ("from", "to"))
    days = state.traps.slice_days
    if days and datetime.fromisoformat(last) - datetime.fromisoformat(first) > timedelta(days=days):
        raise refuse(400, "span_too_long", f"from and to may be {days:g} days apart at most")
    size = number(request, "per_page", DEFAULT_SIZE, 1, MOST)
    page = number(request, "page", 1, 1)
    start, stop = table.start_of(first), table.start_of(last)
    begin = start + (page - 1) * size
    rows = table.slice_by_stamp(begin, min(stop, begin + size))
    total = max(0, stop - start)
    return await _listed(request, state, rows, {"page": page, "pages": -(-total // size), "total": total})


async def orders(request: web.Request, state: State) -> web.Response:
    """Answers with orders, `limit` and `offset`; their lines have pages of their own."""
    table = state.world.table("orders")
    size, offset = number(request, "limit", DEFAULT_SIZE, 1, MOST), number(request, "offset", 0, 0)
    rows = [{name: one for name, one in row.items() if name != "lines"} for row in _slice(table, offset, size)]
    return await _listed(request, state, rows, {"offset": offset, "limit": size, "total": len(table)})


def _slice(table: Table, offset: int, size: int) -> list[Row]:
    return table.slice_by_key(offset, offset + size)


async def lines(request: web.Request, state: State) -> web.Response:
    """Answers with the lines of one order, `page` and `per_page`; an order may have none."""
    order = str(one_of(request, state, "orders")["id"])
    found = _children(state).get(order, [])
    size, page = number(request, "per_page", DEFAULT_SIZE, 1, MOST), number(request, "page", 1, 1)
    rows = found[(page - 1) * size : page * size]
    return await _listed(request, state, rows, {"page": page, "pages": -(-len(found) // size), "total": len(found)})


def _children(state: State) -> dict[str, list[Row]]:
    """Returns the lines by order, sorted out once per version of their table."""
    table = state.world.table("order_lines")
    if state.families.version != table.version:
        state.families.by_parent.clear()
        for row in table.slice_by_key(0, None):
            state.families.by_parent.setdefault(str(row["order_id"]), []).append(row)
        state.families.version = table.version
    return state.families.by_parent


async def settings(_request: web.Request, state: State) -> web.Response:
    """Answers with a single object, no list anywhere."""
    counts = state.world.counts()
    return json_answer({"name": "sandbox", "seed": state.options.seed, "currency": "EUR", "items": counts["items"]})


ROUTES: dict[tuple[str, str], Act] = {
    ("GET", "/keyset"): keyset,
    ("GET", "/slices"): slices,
    ("GET", "/orders"): orders,
    ("GET", "/orders/{id}/lines"): lines,
    ("GET", "/settings"): settings,
}
