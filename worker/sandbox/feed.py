"""Opaque tokens, as calendars and directories have them: `/feed` by GET, `/feed/query` by POST.

A walk gives `next_page_token` and on its last page `next_sync_token`. With `sync_token` a later walk gives only what
changed since the earlier one began, deletions as `{"id": ..., "deleted": true}`; 410 once the token has run out.
"""

from base64 import b64decode, b64encode
from bisect import bisect_right
from collections.abc import Mapping

import orjson
from aiohttp import web

from worker.sandbox.answers import json_answer
from worker.sandbox.generic import MOST, Act, refuse
from worker.sandbox.state import State
from worker.sandbox.table import Row, Table
from worker.sandbox.weigh import paged

DEFAULT_SIZE = 100
_FIRST = {"since": -1, "after": "", "version": -1}


def _token(place: Mapping[str, object]) -> str:
    """Returns a place as a text that needs escaping in a URL, as many of such tokens do."""
    return b64encode(b"\xff" + orjson.dumps(dict(place))).decode()


def _place(text: str, kind: str) -> Row:
    try:
        place: object = orjson.loads(b64decode(text, validate=True)[1:])
        if isinstance(place, dict) and place["kind"] == kind:
            return place
    except (ValueError, KeyError):
        pass
    msg = f"parameter {kind} must be one that an answer gave; found {text!r}"
    raise ValueError(msg)


def _size(given: Mapping[str, object]) -> int:
    text = str(given.get("page_size", DEFAULT_SIZE))
    if not text.isdecimal() or not 1 <= int(text) <= MOST:
        msg = f"parameter page_size must be a whole number, 1 to {MOST}; found {text!r}"
        raise ValueError(msg)
    return int(text)


def _asked(state: State, given: Mapping[str, object], version: int) -> Row:
    """Returns where the walk stands that the tokens speak of; raises ValueError, and Refusal for one that ran out."""
    for kind in ("page_token", "sync_token"):
        if given.get(kind):
            place = _place(str(given[kind]), kind)
            if place["epoch"] != state.feed.epoch and (kind == "sync_token" or state.traps.feed_strict):
                raise refuse(410, "token_expired", f"the {kind} has run out; start without one")
            return place if kind == "page_token" else _FIRST | {"since": place["version"], "version": version}
    return _FIRST | {"version": version}


def page_of(state: State, table: Table, place: Row, size: int) -> Row:
    """Returns the page at a place: rows as they are now, whenever the walk began."""
    since, after = int(str(place["since"])), str(place["after"])
    keys = table.keys() if since < 0 else table.changed_since(since)
    start = bisect_right(keys, after)
    chosen = keys[start : start + size]
    rows = [table.get(key) or {table.key: int(key) if key.isdecimal() else key, "deleted": True} for key in chosen]
    kept = {"since": since, "version": place["version"], "epoch": state.feed.epoch}
    if start + size < len(keys):
        following = {"next_page_token": _token(kept | {"kind": "page_token", "after": chosen[-1]})}
    else:
        following = {"next_sync_token": _token(kept | {"kind": "sync_token"})}
    return {"items": rows, **following}


async def _answer(request: web.Request, state: State, given: Mapping[str, object]) -> web.Response:
    table = state.world.table("items")
    size = min(_size(given), state.traps.feed_page or MOST)
    body = page_of(state, table, _asked(state, given, table.version), size)
    rows = body["items"]
    return await paged(request, state, json_answer(body), len(rows) if isinstance(rows, list) else 0)


async def by_query(request: web.Request, state: State) -> web.Response:
    """Answers with one page; tokens and page_size stand in the query."""
    return await _answer(request, state, request.query)


async def by_body(request: web.Request, state: State) -> web.Response:
    """Answers with one page; tokens and page_size stand in a JSON object."""
    return await _answer(request, state, await object_of(request))


async def object_of(request: web.Request) -> dict[str, object]:
    """Returns the JSON object sent; raises ValueError."""
    raw = await request.read()
    data: object = orjson.loads(raw) if raw.strip() else {}
    if not isinstance(data, dict):
        msg = "the body must be one JSON object"
        raise ValueError(msg)  # noqa: TRY004 - what was sent is wrong, no type of ours
    return data


ROUTES: dict[tuple[str, str], Act] = {("GET", "/feed"): by_query, ("POST", "/feed/query"): by_body}
