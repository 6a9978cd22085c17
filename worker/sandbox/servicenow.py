"""The ServiceNow-style token endpoint and Table API: `sysparm_*`, Link header, X-Total-Count, references."""

from urllib.parse import urlencode
from uuid import uuid4

import orjson
from aiohttp import web

from worker.sandbox import query as encoded
from worker.sandbox.answers import Page, Refusal, bytes_answer, json_answer, now_error, number, origin
from worker.sandbox.oauth import Answer
from worker.sandbox.paths import NOW_REVOKE, NOW_TOKEN
from worker.sandbox.render import View, rendered
from worker.sandbox.state import FORM, State, identified, state_of
from worker.sandbox.table import PLAIN, Row, Table
from worker.sandbox.tokenends import answer_token, note

TABLES = ("incident", "cmdb_ci", "sys_user", "u_plain", "sys_audit_delete", "sys_import_set")
DEFAULT_LIMIT = 10_000
_FORM = "application/x-www-form-urlencoded"
_OWN = frozenset({"sys_id", "sys_created_on", "sys_created_by", "sys_updated_on", "sys_updated_by", "sys_mod_count"})


async def token(request: web.Request) -> web.Response:
    """Answers a token request; parameters count in the form body only."""
    if request.content_type != _FORM:
        text = f"parameters must come in a body of type {_FORM}; found {request.content_type}"
        return json_answer({"error_description": text, "error": "invalid_request"}, 400)
    answer = answer_token(request, state_of(request).servicenow, list(request[FORM].items()))
    status, body = _worded(answer)
    return json_answer(body, status, {"Cache-Control": "no-store"})


async def revoke(request: web.Request) -> web.Response:
    """Ends a token of the query or the form; it asks for no credential, as on a real instance."""
    state = state_of(request)
    given = request.query.get("token") or request[FORM].get("token", "")
    note(request, state.servicenow, {"token": given})
    issued = state.servicenow.tokens.find(given)
    if issued is not None:
        state.servicenow.tokens.end(issued, given)
    return web.Response(status=200)


def _worded(answer: Answer) -> Answer:
    """Returns the answer in the words of ServiceNow: any wrong credential is `access_denied`, 401."""
    status, body = answer
    if body.get("error") in ("invalid_client", "invalid_grant", "unauthorized_client"):
        return 401, {"error_description": "access_denied", "error": "server_error"}
    return status, body


def admit(request: web.Request) -> State:
    """Checks the bearer token; raises Refusal."""
    state = state_of(request)
    if identified(request, state.servicenow) is None:
        refused = now_error(401, "User Not Authenticated", "Required to provide Auth information")
        refused.headers["WWW-Authenticate"] = 'Bearer realm="Service-now"'
        raise Refusal(refused)
    return state


def _table(request: web.Request, state: State) -> tuple[str, Table]:
    name = request.match_info["table"]
    if name in TABLES:
        return name, state.world.table(name)
    if name in state.world.staging:
        return name, state.world.staging[name]
    raise Refusal(now_error(400, f"Invalid table {name}"))


def _hidden(state: State, key: str) -> bool:
    every = state.options.hide_every
    return every > 0 and int(key[:8], 16) % every == 0


async def listing(request: web.Request) -> web.Response:
    """Answers with one page; rows the caller may not see leave it shorter than the limit, yet are counted."""
    state = admit(request)
    name, table = _table(request, state)
    try:
        limit = number(request, "sysparm_limit", DEFAULT_LIMIT, 1)
        offset = number(request, "sysparm_offset", 0, 0)
    except ValueError as error:
        raise Refusal(now_error(400, "Pagination parameter is invalid", str(error))) from None
    key = (name, table.version, request.raw_path, request.host)
    body, headers = state.pages.get(key, lambda: _page(request, state, (name, table), (limit, offset)))
    if request.match_info.get("version") == "v1" and body == b'{"result":[]}':
        raise Refusal(_missing())
    return bytes_answer(body, headers=headers)


def _missing() -> web.Response:
    return now_error(404, "No Record found", "Record doesn't exist or ACL restricts the record retrieval")


def _page(request: web.Request, state: State, source: tuple[str, Table], place: tuple[int, int]) -> Page:
    name, table = source
    limit, offset = place
    found = _found(request, state, name, table)
    keys = [key for key in found[offset : offset + limit] if not _hidden(state, key)]
    view = View.asked(request)
    rows = [rendered(name, table.get(key) or {}, view, state.world) for key in keys]
    headers = {}
    total = None if request.query.get("sysparm_no_count") == "true" else len(found)
    if total is not None:
        headers["X-Total-Count"] = str(total)
    if request.query.get("sysparm_suppress_pagination_header") != "true":
        headers["Link"] = _links(request, limit, offset, total, more=offset + limit < len(found))
    return orjson.dumps({"result": rows}), headers


def _found(request: web.Request, state: State, name: str, table: Table) -> list[str]:
    """Returns the keys that match the query, found once per query and version of the table."""
    text = request.query.get("sysparm_query", "")
    kept = state.queries.get((name, text))
    if kept is None or kept[0] != table.version:
        query = encoded.parse(text, state.world.columns(name))
        kept = state.queries[name, text] = (table.version, encoded.select(table, query))
        if len(state.queries) > _QUERIES:
            del state.queries[next(iter(state.queries))]
    return kept[1]


_QUERIES = 32  # answers of queries kept


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


def _one(request: web.Request, state: State) -> tuple[str, Table, Row]:
    name, table = _table(request, state)
    key = request.match_info["sys_id"]
    row = table.get(key)
    if row is None or _hidden(state, key):
        raise Refusal(_missing())
    return name, table, row


async def single(request: web.Request) -> web.Response:
    """Answers with one record."""
    state = admit(request)
    name, _, row = _one(request, state)
    return json_answer({"result": rendered(name, row, View.asked(request), state.world)})


async def body_of(request: web.Request) -> dict[str, object]:
    """Returns the JSON object of a request's body; raises Refusal."""
    if request.content_type != "application/json":
        raise Refusal(now_error(415, "Unsupported content type", "Only application/json is taken here"))
    try:
        data = orjson.loads(await request.read())
    except orjson.JSONDecodeError as error:
        raise Refusal(now_error(400, "Exception while reading request", f"The body is not JSON: {error}")) from None
    if not isinstance(data, dict):
        raise Refusal(now_error(400, "Exception while reading request", "The body must be one JSON object"))
    return data


def _given(state: State, name: str, data: dict[str, object]) -> Row:
    """Returns the values that a caller may set, as text; names that are no column are ignored."""
    known = state.world.columns(name) - _OWN
    return {field: "" if value is None else str(value) for field, value in data.items() if field in known}


async def create(request: web.Request) -> web.Response:
    """Inserts one record."""
    state = admit(request)
    name, table = _table(request, state)
    given = _given(state, name, await body_of(request))
    stamp = state.world.now().strftime(PLAIN)
    who = state.options.credentials.servicenow_username
    fresh = dict.fromkeys(state.world.columns(name), "") | {
        "sys_id": uuid4().hex,
        "sys_created_on": stamp,
        "sys_created_by": who,
        "sys_mod_count": "0",
        "sys_updated_on": stamp,
        "sys_updated_by": who,
    }
    row: Row = fresh | given
    table.put(row)
    place = {"Location": f"{origin(request)}/api/now/table/{name}/{row['sys_id']}"}
    return json_answer({"result": rendered(name, row, View.asked(request), state.world)}, 201, place)


async def change(request: web.Request) -> web.Response:
    """Changes one record."""
    state = admit(request)
    name, table, old = _one(request, state)
    given = _given(state, name, await body_of(request))
    row = old | given
    if row != old:
        stamp = state.world.now().strftime(PLAIN)
        row |= {"sys_updated_on": stamp, "sys_mod_count": str(int(str(old["sys_mod_count"])) + 1)}
        table.put(row)
    return json_answer({"result": rendered(name, row, View.asked(request), state.world)})


async def delete(request: web.Request) -> web.Response:
    """Deletes one record."""
    _, table, row = _one(request, admit(request))
    table.remove(str(row["sys_id"]))
    return web.Response(status=204)


def routes() -> list[web.RouteDef]:
    """Returns the routes of the token endpoint and the Table API, without and with a version."""
    found = [web.post(NOW_TOKEN, token), web.get(NOW_REVOKE, revoke), web.post(NOW_REVOKE, revoke)]
    for base in ("/api/now/table/{table}", "/api/now/{version:v[12]}/table/{table}"):
        one = base + "/{sys_id}"
        found += [
            web.get(base, listing),
            web.post(base, create),
            web.get(one, single),
            web.delete(one, delete),
        ]
        found += [web.patch(one, change), web.put(one, change)]
    return found
