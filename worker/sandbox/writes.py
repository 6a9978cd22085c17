"""Writing to the generic API: items one by one or in batches, with or without an Idempotency-Key.

Without the key each POST makes another item. With it, the same request gets the same answer and nothing is made twice;
another request with a used key is 422. An item with the value `!error` anywhere is refused.
"""

from collections.abc import Mapping

from aiohttp import web

from worker.sandbox.answers import bytes_answer, json_answer
from worker.sandbox.feed import object_of
from worker.sandbox.generic import Act, one_of, refuse
from worker.sandbox.state import Given, State
from worker.sandbox.table import Row, Table
from worker.sandbox.transform import POISON

HEADER = "Idempotency-Key"


def _once(act: Act) -> Act:
    """Returns what answers a repeated request as it did the first time."""

    async def answer(request: web.Request, state: State) -> web.Response:
        key = request.headers.get(HEADER, "")
        if not key or state.traps.forget_keys:
            return await act(request, state)
        asked = (request.method, request.path, await request.read())
        known = state.given.get(key)
        if known is None:
            made = await act(request, state)
            body = made.body if isinstance(made.body, bytes) else b""
            state.given[key] = Given(asked, made.status, body)
            return made
        if known.asked != asked:
            raise refuse(422, "idempotency_key_reused", f"another request had the same {HEADER}")
        return bytes_answer(known.body, known.status, {"Idempotency-Replayed": "true"})

    return answer


def _table(state: State) -> Table:
    return state.world.table("items")


def _checked(given: Mapping[str, object]) -> Mapping[str, object]:
    """Returns the item; raises Refusal for a bad one."""
    if POISON in given.values():
        raise refuse(422, "invalid_item", f"no field may be {POISON!r}")
    return given


def _made(state: State, given: Mapping[str, object]) -> Row:
    table = _table(state)
    fresh = state.world.fresh("items")
    row = fresh | dict(given) | {"id": fresh["id"]} | state.world.stamped(table)
    table.put(row)
    return row


def _changed(state: State, old: Row, given: Mapping[str, object], *, whole: bool) -> Row:
    table = _table(state)
    kept = {"id": old["id"], "revision": int(str(old["revision"])) + 1}
    row = ({} if whole else old) | dict(given) | kept | state.world.stamped(table)
    table.put(row)
    return row


async def create(request: web.Request, state: State) -> web.Response:
    """Makes an item and answers 201 with it."""
    row = _made(state, _checked(await object_of(request)))
    return json_answer({"data": row}, 201, {"Location": f"{request.path}/{row['id']}"})


def _change(*, whole: bool) -> Act:
    async def change(request: web.Request, state: State) -> web.Response:
        old = one_of(request, state, "items")
        row = _changed(state, old, _checked(await object_of(request)), whole=whole)
        return json_answer({"data": row})

    return change


async def delete(request: web.Request, state: State) -> web.Response:
    """Deletes an item."""
    _table(state).remove(str(one_of(request, state, "items")["id"]))
    return web.Response(status=204)


async def lookup(request: web.Request, state: State) -> web.Response:
    """Answers with the items whose member has the value of the query, `?external_id=X`; none is no error."""
    if len(request.query) != 1:
        msg = "one parameter is needed: a member and its value, such as external_id=X"
        raise ValueError(msg)
    ((name, value),) = request.query.items()
    found = [row for row in _table(state).slice_by_key(0, None) if str(row.get(name)) == value]
    return json_answer({"data": {"items": found}})


async def batch(request: web.Request, state: State) -> web.Response:
    """Takes `{"items": [...]}`; answers 200 with a result per item, some of which may be errors.

    An item with an id changes that one, one without is made.
    """
    items = (await object_of(request)).get("items")
    if not isinstance(items, list):
        msg = "items must be a list of objects"
        raise ValueError(msg)  # noqa: TRY004 - what was sent is wrong, no type of ours
    return json_answer({"results": [{"index": at} | _result(state, one) for at, one in enumerate(items)]})


def _result(state: State, item: object) -> Row:
    if not isinstance(item, dict) or POISON in item.values():
        return {"status": "error", "code": "invalid_item", "message": f"no object, or a field is {POISON!r}"}
    if "id" not in item:
        return {"status": "created", "id": _made(state, item)["id"]}
    old = _table(state).get(str(item["id"]))
    if old is None:
        return {"status": "error", "code": "not_found", "message": f"no item has the id {item['id']}"}
    return {"status": "updated", "id": _changed(state, old, item, whole=False)["id"]}


ROUTES: dict[tuple[str, str], Act] = {
    ("POST", "/items"): _once(create),
    ("POST", "/items/batch"): _once(batch),
    ("GET", "/items/lookup"): lookup,
    ("PUT", "/items/{id}"): _once(_change(whole=True)),
    ("PATCH", "/items/{id}"): _once(_change(whole=False)),
    ("DELETE", "/items/{id}"): delete,
}
