"""A REST API like many others: `/generic/v1/items?style=page|offset|link|next_url|token|none`, `devices` likewise."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from urllib.parse import urlencode

import orjson
from aiohttp import web

from worker.sandbox.answers import Page, Refusal, bytes_answer, json_answer, number
from worker.sandbox.calllog import is_secret
from worker.sandbox.state import State, identified, state_of
from worker.sandbox.table import Row, Table
from worker.sandbox.traps import Traps
from worker.sandbox.weigh import link_origin, paged

BASE = "/generic/v1"
RESOURCES = ("items", "devices")
STYLES = ("page", "offset", "link", "next_url", "token", "none")
DEFAULT_SIZE, MOST = 100, 1000
Admit = Callable[[web.Request], State]  # raises Refusal
Handler = Callable[[web.Request], Awaitable[web.Response]]
Act = Callable[[web.Request, State], Awaitable[web.Response]]  # raises Refusal, and ValueError for a wrong parameter


def refuse(status: int, code: str, message: str) -> Refusal:
    """Returns a refusal in the dialect of this API."""
    return Refusal(json_answer({"error": code, "message": message}, status))


def admit_bearer(request: web.Request) -> State:
    """Accepts a bearer token of either authorization server (RFC 6750 3); raises Refusal."""
    state = state_of(request)
    if not any(identified(request, authority) for authority in (state.tangoe, state.servicenow)):
        refusal = refuse(401, "invalid_token", "a valid bearer token of either token endpoint is needed")
        refusal.response.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
        raise refusal
    return state


def behind(admit: Admit, act: Act) -> Handler:
    """Returns the handler that lets in whom `admit` does; a ValueError of `act` is a wrong parameter."""

    async def handle(request: web.Request) -> web.Response:
        state = admit(request)
        try:
            return await act(request, state)
        except ValueError as error:
            raise refuse(400, "invalid_parameter", str(error)) from None

    return handle


def items_of(resource: str) -> Act:
    """Returns what answers with one page of a resource in the style asked for."""

    async def items(request: web.Request, state: State) -> web.Response:
        table = state.world.table(resource)
        style = request.query.get("style", "none")
        if style not in STYLES:
            msg = f"style must be one of {', '.join(STYLES)}; found {style!r}"
            raise ValueError(msg)
        start = since_of(request, table)
        offset, size = _place(request, style, len(table), state.traps)
        place = (start, offset, size)
        key = (resource, table.version, state.traps.changes, request.raw_path, request.host)
        body, headers = state.pages.get(key, lambda: _page(request, style, (resource, table), place))
        rows = max(0, min(size, len(table) - (start or 0) - offset))
        return await paged(request, state, bytes_answer(body, headers=headers), rows)

    return items


def _page(request: web.Request, style: str, source: tuple[str, Table], place: tuple[int | None, int, int]) -> Page:
    (resource, table), (start, offset, size) = source, place
    total = len(table) - (start or 0)
    loop = state_of(request).traps.loop
    following = (offset if loop else offset + size) if offset + size < total else None
    body: Row = {"data": {resource: _rows(table, start, offset, size)}}
    headers = {}
    if style == "page":
        body |= {"page": offset // size + 1, "per_page": size, "total": total, "pages": -(-total // size)}
    elif style == "offset":
        body |= {"offset": offset, "limit": size, "total": total}
    elif style == "link":
        headers["Link"] = link_header(request, size, offset, total, loop=loop)
    elif style == "next_url":
        body["next"] = None if following is None else _url(request, {"cursor": f"c{following}"})
    elif style == "token":
        body["next_token"] = None if following is None else f"c{following}"
    return orjson.dumps(body), headers


def item_of(resource: str) -> Act:
    """Returns what answers with one record of a resource."""

    async def item(request: web.Request, state: State) -> web.Response:
        return json_answer({"data": one_of(request, state, resource)})

    return item


def one_of(request: web.Request, state: State, resource: str) -> Row:
    """Returns the record that the path names; raises Refusal when there is none."""
    row = state.world.table(resource).get(request.match_info["id"])
    if row is None:
        message = f"no {resource.removesuffix('s')} has the id {request.match_info['id']}"
        raise refuse(404, "not_found", message)
    return row


def since_of(request: web.Request, table: Table, name: str = "updated_since") -> int | None:
    """Returns where, in order of change, the rows of a time or later begin; None without the parameter."""
    text = request.query.get(name)
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        msg = f"parameter {name} must be an ISO 8601 time; found {text!r}"
        raise ValueError(msg) from None
    return table.start_of(table.bound(at if at.tzinfo else at.replace(tzinfo=UTC)))


def _place(request: web.Request, style: str, total: int, traps: Traps) -> tuple[int, int]:
    """Returns offset and size of the page asked for."""
    if style == "none":
        return 0, max(1, total)
    size = number(request, "limit" if style == "offset" else "per_page", DEFAULT_SIZE, 1, MOST)
    size = min(size, traps.cap or size)
    offset = 0 if traps.deaf else _offset(request, style, size)
    return offset - offset % size if style == "offset" and traps.snap else offset, size


def _offset(request: web.Request, style: str, size: int) -> int:
    if style == "offset":
        return number(request, "offset", 0, 0)
    if style in ("page", "link"):
        return (number(request, "page", 1, 1) - 1) * size
    cursor = request.query.get("cursor", "c0")
    if not cursor.startswith("c") or not cursor[1:].isdecimal():
        msg = f"parameter cursor must be one that an answer gave; found {cursor!r}"
        raise ValueError(msg)
    return int(cursor[1:])


def _rows(table: Table, start: int | None, offset: int, size: int) -> list[Row]:
    if start is None:
        return table.slice_by_key(offset, offset + size)
    return table.slice_by_stamp(start + offset, start + offset + size)


def _url(request: web.Request, changed: dict[str, str]) -> str:
    """Returns the link to another page; a key in the query is not repeated in it."""
    kept = {name: value for name, value in request.query.items() if not is_secret(name)}
    return f"{link_origin(request)}{request.path}?{urlencode(kept | changed)}"


def link_header(request: web.Request, size: int, offset: int, total: int, *, loop: bool = False) -> str:
    """Returns the Link header of RFC 8288 for pages counted from 1."""
    page, last = offset // size + 1, max(1, -(-total // size))
    pages = {"first": 1, "last": last}
    if page > 1:
        pages["prev"] = page - 1
    if page < last:
        pages["next"] = page if loop else page + 1
    return ", ".join(f'<{_url(request, {"page": str(to)})}>; rel="{rel}"' for rel, to in pages.items())


def routes() -> list[web.RouteDef]:
    """Returns the routes of the pages of this API."""
    found = []
    for resource in RESOURCES:
        path = f"{BASE}/{resource}"
        found.append(web.get(path, behind(admit_bearer, items_of(resource))))
        found.append(web.get(f"{path}/{{id}}", behind(admit_bearer, item_of(resource))))
    return found
