"""A REST API like many others: `/generic/v1/items?style=page|offset|link|next_url|token|none`."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from urllib.parse import urlencode

import orjson
from aiohttp import web

from worker.sandbox.answers import Page, Refusal, bytes_answer, json_answer, number, origin
from worker.sandbox.calllog import is_secret
from worker.sandbox.state import State, identified, state_of
from worker.sandbox.table import Row, Table

PATH = "/generic/v1/items"
STYLES = ("page", "offset", "link", "next_url", "token", "none")
DEFAULT_SIZE, MOST = 100, 1000
Admit = Callable[[web.Request], State]  # raises Refusal
Handler = Callable[[web.Request], Awaitable[web.Response]]


def refuse(status: int, code: str, message: str) -> Refusal:
    """Returns a refusal in the dialect of this API."""
    return Refusal(json_answer({"error": code, "message": message}, status))


def _admit(request: web.Request) -> State:
    """Accepts a bearer token of either authorization server (RFC 6750 3); raises Refusal."""
    state = state_of(request)
    if not any(identified(request, authority) for authority in (state.tangoe, state.servicenow)):
        refusal = refuse(401, "invalid_token", "a valid bearer token of either token endpoint is needed")
        refusal.response.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
        raise refusal
    return state


def items_behind(admit: Admit) -> Handler:
    """Returns the handler that answers whom `admit` lets in with one page in the style asked for."""

    async def items(request: web.Request) -> web.Response:
        state = admit(request)
        table = state.world.table("items")
        style = request.query.get("style", "none")
        if style not in STYLES:
            message = f"style must be one of {', '.join(STYLES)}; found {style!r}"
            raise refuse(400, "invalid_parameter", message)
        try:
            start = _since(request, table)
            offset, size = _place(request, style, len(table))
        except ValueError as error:
            raise refuse(400, "invalid_parameter", str(error)) from None
        make = partial(_page, request, style, table, (start, offset, size))
        key = ("items", table.version, request.raw_path, request.host)
        body, headers = state.pages.get(key, make)
        return bytes_answer(body, headers=headers)

    return items


def _page(request: web.Request, style: str, table: Table, place: tuple[int | None, int, int]) -> Page:
    start, offset, size = place
    total = len(table) - (start or 0)
    following = offset + size if offset + size < total else None
    body: Row = {"data": {"items": _rows(table, start, offset, size)}}
    headers = {}
    if style == "page":
        body |= {"page": offset // size + 1, "per_page": size, "total": total, "pages": -(-total // size)}
    elif style == "offset":
        body |= {"offset": offset, "limit": size, "total": total}
    elif style == "link":
        headers["Link"] = _link_header(request, size, offset, total)
    elif style == "next_url":
        body["next"] = None if following is None else _url(request, {"cursor": f"c{following}"})
    elif style == "token":
        body["next_token"] = None if following is None else f"c{following}"
    return orjson.dumps(body), headers


def item_behind(admit: Admit) -> Handler:
    """Returns the handler that answers whom `admit` lets in with one item."""

    async def item(request: web.Request) -> web.Response:
        row = admit(request).world.table("items").get(request.match_info["id"])
        if row is None:
            raise refuse(404, "not_found", f"no item has the id {request.match_info['id']}")
        return json_answer({"data": row})

    return item


def _since(request: web.Request, table: Table) -> int | None:
    text = request.query.get("updated_since")
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        msg = f"parameter updated_since must be an ISO 8601 time; found {text!r}"
        raise ValueError(msg) from None
    return table.start_of(table.bound(at if at.tzinfo else at.replace(tzinfo=UTC)))


def _place(request: web.Request, style: str, total: int) -> tuple[int, int]:
    """Returns offset and size of the page asked for."""
    if style == "none":
        return 0, max(1, total)
    size = number(request, "limit" if style == "offset" else "per_page", DEFAULT_SIZE, 1, MOST)
    if style == "offset":
        return number(request, "offset", 0, 0), size
    if style in ("page", "link"):
        return (number(request, "page", 1, 1) - 1) * size, size
    cursor = request.query.get("cursor", "c0")
    if not cursor.startswith("c") or not cursor[1:].isdecimal():
        msg = f"parameter cursor must be one that an answer gave; found {cursor!r}"
        raise ValueError(msg)
    return int(cursor[1:]), size


def _rows(table: Table, start: int | None, offset: int, size: int) -> list[Row]:
    if start is None:
        return table.slice_by_key(offset, offset + size)
    return table.slice_by_stamp(start + offset, start + offset + size)


def _url(request: web.Request, changed: dict[str, str]) -> str:
    """Returns the link to another page; a key in the query is not repeated in it."""
    kept = {name: value for name, value in request.query.items() if not is_secret(name)}
    return f"{origin(request)}{request.path}?{urlencode(kept | changed)}"


def _link_header(request: web.Request, size: int, offset: int, total: int) -> str:
    """Returns the Link header of RFC 8288 for pages counted from 1."""
    page, last = offset // size + 1, max(1, -(-total // size))
    pages = {"first": 1, "last": last}
    if page > 1:
        pages["prev"] = page - 1
    if page < last:
        pages["next"] = page + 1
    return ", ".join(f'<{_url(request, {"page": str(to)})}>; rel="{rel}"' for rel, to in pages.items())


def routes() -> list[web.RouteDef]:
    """Returns the routes of the generic API."""
    return [web.get(PATH, items_behind(_admit)), web.get(f"{PATH}/{{id}}", item_behind(_admit))]
