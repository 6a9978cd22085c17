"""Reading the Table API: `sysparm_*`, Link header, X-Total-Count, references, rows hidden or blank."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode
from zlib import crc32

import orjson
from aiohttp import web

from worker.sandbox import query as encoded
from worker.sandbox.answers import Page, Refusal, bytes_answer, json_answer, now_error, number, origin
from worker.sandbox.render import View, rendered
from worker.sandbox.servicenow import admit
from worker.sandbox.state import State, record_of
from worker.sandbox.table import Row, Table
from worker.sandbox.weigh import paged

MAIN = ("incident", "cmdb_ci", "sys_user", "u_plain")  # the tables that access rules look at
TABLES = (*MAIN, "sys_audit_delete", "sys_import_set")
DEFAULT_LIMIT = 10_000
_QUERIES = 32  # answers of queries kept
_DIGITS = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Source:
    """The table that a path names, with the columns that queries may speak of."""

    name: str
    table: Table
    columns: frozenset[str]


def source_of(request: web.Request, state: State) -> Source:
    """Returns the table asked for: a resource, staged rows, or what imports made; raises Refusal for none of these."""
    name = request.match_info["table"]
    if name in TABLES:
        return Source(name, state.world.table(name), state.world.columns(name))
    staged = state.imports.table(name)
    if staged is not None:
        return Source(name, staged, state.imports.columns(name))
    if name in state.world.staging:
        return Source(name, state.world.staging[name], state.world.columns(name))
    raise Refusal(now_error(400, f"Invalid table {name}"))


def hidden(state: State, source: Source) -> Callable[[str], bool]:
    """Returns what tells whether access rules hide the row of a key from the caller."""
    traps, every = state.traps, state.options.hide_every
    first = source.table.keys()[: traps.hide_first] if source.name in MAIN else ()
    keys = traps.hide_keys | frozenset(first)
    where = matcher(traps.hide_where, source)

    def test(key: str) -> bool:
        return key in keys or (every > 0 and spread(key) % every == 0) or where(key)

    return test


def blank(state: State, source: Source) -> Callable[[str], bool]:
    """Returns what tells whether the row of a key comes as an empty object."""
    every, where = state.traps.blank_every, matcher(state.traps.blank_where, source)
    return lambda key: (every > 0 and spread(key) % every == 0) or where(key)


def matcher(text: str, source: Source) -> Callable[[str], bool]:
    """Returns what tells whether a row matches; a query that speaks of other tables' columns matches none here."""
    query = encoded.parse(text, source.columns)
    if not text or query.invalid:
        return lambda _: False
    return lambda key: query.matches(source.table.get(key) or {})


def spread(key: str) -> int:
    """Returns a number for a key; keys in a row have numbers far apart."""
    return int(key[:8], 16) if len(key) >= 8 and _DIGITS.issuperset(key[:8]) else crc32(key.encode())  # noqa: PLR2004


async def listing(request: web.Request) -> web.Response:
    """Answers with one page; rows the caller may not see leave it shorter than the limit, yet are counted."""
    state = admit(request)
    state.imports.looked(request.match_info["table"])
    source = source_of(request, state)
    try:
        limit = number(request, "sysparm_limit", DEFAULT_LIMIT, 1)
        offset = number(request, "sysparm_offset", 0, 0)
    except ValueError as error:
        raise Refusal(now_error(400, "Pagination parameter is invalid", str(error))) from None
    found = _found(request, state, source)
    place = (limit, offset)
    if state.traps.shuffle:
        body, headers = _page(request, state, source, found, place)
    else:
        key = (source.name, source.table.version, state.traps.changes, request.raw_path, request.host)
        body, headers = state.pages.get(key, lambda: _page(request, state, source, found, place))
    if request.match_info.get("version") == "v1" and body == b'{"result":[]}':
        raise Refusal(missing())
    scanned = max(0, min(limit, len(found) - offset))
    return await paged(request, state, bytes_answer(body, headers=headers), scanned)


def missing() -> web.Response:
    """Returns the answer for a record that is not there, or not for the caller to see."""
    return now_error(404, "No Record found", "Record doesn't exist or ACL restricts the record retrieval")


def _page(request: web.Request, state: State, source: Source, found: Sequence[str], place: tuple[int, int]) -> Page:
    limit, offset = place
    is_hidden, is_blank = hidden(state, source), blank(state, source)
    view = View.asked(request)
    rows: list[Row] = []
    for key in found[offset : offset + limit]:
        if is_hidden(key):
            continue
        row = source.table.get(key) or {}
        rows.append({} if is_blank(key) else rendered(source.name, row, view, state.world))
    headers = {}
    total = None if request.query.get("sysparm_no_count") == "true" else len(found)
    if total is not None:
        headers["X-Total-Count"] = str(total)
    if request.query.get("sysparm_suppress_pagination_header") != "true":
        headers["Link"] = _links(request, limit, offset, total, more=offset + limit < len(found))
    return orjson.dumps({"result": rows}), headers


def _found(request: web.Request, state: State, source: Source) -> Sequence[str]:
    """Returns the keys that match the query, found once per query and version of the table unless they are shuffled."""
    text = request.query.get("sysparm_query", "")
    version = (source.table.version, state.traps.changes)
    kept = state.queries.get((source.name, text))
    if kept is not None and kept[0] == version and not state.traps.shuffle:
        return kept[1]
    query = encoded.parse(text, source.columns.difference(state.traps.drop_fields))
    refused = query.invalid and state.traps.no_rows_on_invalid_query
    found = [] if refused else encoded.select(source.table, query)
    if state.traps.shuffle:
        return encoded.shuffled(source.table, query, found, f"{state.options.seed}:{record_of(request).serial}")
    state.queries[source.name, text] = (version, found)
    if len(state.queries) > _QUERIES:
        del state.queries[next(iter(state.queries))]
    return found


def _links(request: web.Request, limit: int, offset: int, total: int | None, *, more: bool) -> str:
    kept = [(name, value) for name, value in request.query.items() if name not in ("sysparm_limit", "sysparm_offset")]
    places = {"first": 0}
    if offset:
        places["prev"] = max(0, offset - limit)
    if more:
        places["next"] = offset + limit
    if total is not None:
        places["last"] = max(0, (total - 1) // limit * limit)

    def link(to: int) -> str:
        wanted = [*kept, ("sysparm_limit", limit), ("sysparm_offset", to)]
        return f"{origin(request)}{request.path}?{urlencode(wanted)}"

    return ",".join(f'<{link(to)}>;rel="{rel}"' for rel, to in places.items())


def one_of(request: web.Request, state: State) -> tuple[Source, Row]:
    """Returns the record that the path names, with its table; raises Refusal when it is hidden or not there."""
    source = source_of(request, state)
    key = request.match_info["sys_id"]
    row = source.table.get(key)
    if row is None and source.name in state.world.staging:  # staging table and target share a name by default
        source = Source(source.name, state.world.staging[source.name], state.world.columns(source.name))
        row = source.table.get(key)
    if row is None or hidden(state, source)(key):
        raise Refusal(missing())
    return source, row


async def single(request: web.Request) -> web.Response:
    """Answers with one record."""
    state = admit(request)
    state.imports.looked(request.match_info["table"])
    source, row = one_of(request, state)
    return json_answer({"result": rendered(source.name, row, View.asked(request), state.world)})
