"""The Tangoe-style API (MOBPROC): token endpoint, required headers, snapped pages with `_meta`."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from urllib.parse import urlencode

import orjson
from aiohttp import web

from worker.sandbox.answers import Page, Refusal, bytes_answer, json_answer, number, tangoe_error
from worker.sandbox.paths import TANGOE_TOKEN
from worker.sandbox.state import FORM, State, identified, record_of, state_of
from worker.sandbox.table import Row, Table
from worker.sandbox.tokenends import answer_token
from worker.sandbox.weigh import link_origin, paged

BASE = "/mobproc/v1"
VALIDATOR = "/validate"
RESOURCES = {
    "employees": ("employees", "dateTimeUpdatedOnOrAfter"),
    "assets/devices": ("devices", "dateTimeUpdated"),
    "assets/services": ("services", "dateTimeUpdated"),
    "orders": ("orders", "dateTimeUpdated"),
}
DEFAULT_LIMIT, MOST = 25, 1000
Handler = Callable[[web.Request], Awaitable[web.Response]]


async def token(request: web.Request) -> web.Response:
    """Answers a token request whose parameters came in the query, the form or both."""
    pairs = dict.fromkeys([*request.query.items(), *request[FORM].items()])
    status, body = answer_token(request, state_of(request).tangoe, list(pairs))
    return json_answer(body, status, {"Cache-Control": "no-store"})


async def validate(request: web.Request) -> web.Response:
    """Tells what the token in the query is worth, as the vendor's validator does; it asks for no other credential."""
    authority = state_of(request).tangoe
    record, given = record_of(request), request.query.get("access_token", "")
    known, good = authority.tokens.find(given), authority.tokens.accepts(given)
    record.token_used = known.serial if known else None
    if good is None:
        record.error = "access token is unknown, expired or revoked"
        refusal = {"error": "invalid_grant", "error_description": "token not found, expired or invalid"}
        return json_answer(refusal, 400)
    record.account = good.subject.username
    return json_answer(authority.worth(good))


def admit(request: web.Request) -> State:
    """Checks the three required headers; raises Refusal."""
    state = state_of(request)
    for name in ("Authorization", "X-TNGO-TENANT", "client_id"):
        if not request.headers.get(name, "").strip():
            raise Refusal(tangoe_error(400, "MISSING_HEADER", f"Required header {name} is missing or blank."))
    issued = identified(request, state.tangoe)
    who = state.options.credentials
    if request.headers["X-TNGO-TENANT"] != who.tangoe_tenant:
        raise Refusal(tangoe_error(403, "INVALID_TENANT", "X-TNGO-TENANT names no tenant this account may use."))
    if request.headers["client_id"] != who.tangoe_client_id:
        raise Refusal(tangoe_error(403, "INVALID_CLIENT", "The client_id header names no known client."))
    if issued is None:
        code = state.options.tangoe_rejects_with
        raise Refusal(tangoe_error(code, "INVALID_TOKEN", "The access token is invalid, expired or revoked."))
    return state


async def ping(request: web.Request) -> web.Response:
    """Echoes a text."""
    admit(request)
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    return json_answer({"echoText": request.query.get("echoText", ""), "timestamp": now})


async def me(request: web.Request) -> web.Response:
    """Tells who called and on whose behalf."""
    state = admit(request)
    caller = {"username": record_of(request).account, "tenant": state.options.credentials.tangoe_tenant}
    return json_answer({"authenticatedUser": caller, "actor": _actor(request, state) or caller})


def _actor(request: web.Request, state: State) -> Row | None:
    """Returns who the X-TNGO-CONTEXT headers name; the Tangoe id wins, blank counts as not sent."""
    wanted = request.headers.get("X-TNGO-CONTEXT-EMPLOYEEID", "").strip()
    if wanted:
        return state.world.table("employees").get(wanted) or {"id": wanted}
    company = request.headers.get("X-TNGO-CONTEXT-COMPANYEMPLOYEEID", "").strip()
    return {"companyEmployeeId": company} if company else None


def collection(resource: str, since: str) -> Handler:
    """Returns the handler of one resource's pages, filtered by the parameter `since` when it is given."""

    async def page(request: web.Request) -> web.Response:
        state = admit(request)
        table = state.world.table(resource)
        try:
            limit = number(request, "limit", DEFAULT_LIMIT, 1, MOST)
            offset = number(request, "offset", 0, 0)
            start = _start(request.query.get(since), since, table)
        except ValueError as error:
            raise Refusal(tangoe_error(400, "INVALID_PARAMETER", str(error))) from None
        key = (resource, table.version, state.traps.changes, request.raw_path, request.host)
        body, _ = state.pages.get(key, lambda: _page(request, resource, table, (start, limit, offset)))
        rows = max(0, min(limit, len(table) - (start or 0) - offset + offset % limit))
        return await paged(request, state, bytes_answer(body), rows)

    return page


def _start(text: str | None, name: str, table: Table) -> int | None:
    """Returns where the rows changed at or after the given time begin; None when no time is given."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        msg = f"parameter {name} must be an ISO 8601 time such as 2025-06-01T00:00:00Z; found {text!r}"
        raise ValueError(msg) from None
    return table.start_of(table.bound(at if at.tzinfo else at.replace(tzinfo=UTC)))


def _page(request: web.Request, resource: str, table: Table, place: tuple[int | None, int, int]) -> Page:
    start, limit, offset = place
    offset -= offset % limit  # the server gives the page that holds the offset
    total = len(table) - (start or 0)
    if start is None:
        rows = table.slice_by_key(offset, offset + limit)
    else:
        rows = table.slice_by_stamp(start + offset, start + offset + limit)
    meta = _links(request, limit, offset, total) | {"limit": limit, "offset": offset, "totalCount": total}
    return orjson.dumps({"_meta": meta, resource: rows}), {}


def _links(request: web.Request, limit: int, offset: int, total: int) -> dict[str, object]:
    """Returns the links that lead elsewhere than to the page itself."""
    kept = [(name, value) for name, value in request.query.items() if name not in ("limit", "offset")]
    last = max(0, (total - 1) // limit * limit)

    def link(to: int) -> str:
        return f"{link_origin(request)}{request.path}?{urlencode([*kept, ('limit', limit), ('offset', to)])}"

    wanted = {
        "hrefStart": 0 if offset else None,
        "hrefPrevious": max(0, offset - limit) if offset else None,
        "hrefNext": offset + limit if offset + limit < total else None,
        "hrefEnd": last if offset != last else None,
    }
    found: dict[str, object] = {"href": link(offset)}
    return found | {name: link(to) for name, to in wanted.items() if to is not None}


def single(resource: str) -> Handler:
    """Returns the handler of one record of a resource."""

    async def one(request: web.Request) -> web.Response:
        state = admit(request)
        row = state.world.table(resource).get(request.match_info["id"])
        if row is None:
            message = f"No {resource.removesuffix('s')} has the id {request.match_info['id']}."
            raise Refusal(tangoe_error(404, "NOT_FOUND", message))
        return json_answer(row)

    return one


def routes() -> list[web.RouteDef]:
    """Returns the routes of the token endpoint and the API."""
    found = [web.post(TANGOE_TOKEN, token), web.get(VALIDATOR, validate)]
    found += [web.get(f"{BASE}/ping", ping), web.get(f"{BASE}/me", me)]
    for path, (resource, since) in RESOURCES.items():
        found.append(web.get(f"{BASE}/{path}", collection(resource, since)))
        found.append(web.get(f"{BASE}/{path}/{{id}}", single(resource)))
    return found
