"""The control pages about data and habits: rows, traps, transform maps, what has run out or is purged."""

from collections.abc import Mapping

from aiohttp import web

from worker.sandbox.answers import json_answer
from worker.sandbox.control_auth import controls_of, sent, text_of

PATHS = {
    "GET /rows/{resource}": "all rows of a resource or staging table",
    "POST /rows/{resource}": '{"row": {...}, "at": "stamp"}: add one; what is not given is made up',
    "PATCH /rows/{resource}/{key}": '{"changed": {...}, "at": "stamp", "silent": true}: change one; silent: no stamp',
    "DELETE /rows/{resource}/{key}": "delete one; sys_audit_delete is told",
    "GET /ids/{resource}": "the keys of a resource in their order",
    "POST /touch/{resource}": '{"keys": 10 | ["..."], "at": "stamp"}: give rows one and the same stamp',
    "GET /counts": "rows by resource",
    "POST /churn": '{"rows": 10, "resource": "devices"}: change rows now; without resource, of each in turn',
    "GET /traps": "the habits that can be switched on, as they stand",
    "POST /traps": '{"hide_first": 20, "shuffle": true}: switch some',
    "DELETE /traps": "switch all back",
    "POST /maps": '{"staging": "...", "target": "...", "coalesce": [...], "fields": {...}}: a transform map',
    "POST /purge": '{"staging": "..."}: forget staged rows; without staging, all',
    "POST /expire": "let all sync tokens run out",
}


def _members(data: Mapping[str, object], name: str) -> dict[str, object]:
    value = data.get(name, {})
    if not isinstance(value, dict):
        msg = f"{name} must be an object, found {type(value).__name__}"
        raise ValueError(msg)  # noqa: TRY004 - what was sent is wrong, no type of ours
    return value


async def rows(request: web.Request) -> web.Response:
    """Shows all rows of a resource."""
    return json_answer(controls_of(request).rows(request.match_info["resource"]))


async def ids(request: web.Request) -> web.Response:
    """Shows the keys of a resource."""
    return json_answer(controls_of(request).ids(request.match_info["resource"]))


async def counts(request: web.Request) -> web.Response:
    """Shows the number of rows by resource."""
    return json_answer(controls_of(request).counts())


async def insert(request: web.Request) -> web.Response:
    """Adds a row."""
    data = await sent(request)
    key = controls_of(request).insert(request.match_info["resource"], _members(data, "row"), text_of(data, "at"))
    return json_answer({"key": key}, 201)


async def update(request: web.Request) -> web.Response:
    """Changes a row."""
    data = await sent(request)
    place, changed, at = request.match_info, _members(data, "changed"), text_of(data, "at")
    silent = data.get("silent") is True
    controls_of(request).update(place["resource"], place["key"], changed, at=at, silent=silent)
    return json_answer({"changed": sorted(changed)})


async def delete(request: web.Request) -> web.Response:
    """Deletes a row."""
    controls_of(request).delete(request.match_info["resource"], request.match_info["key"])
    return json_answer({"deleted": request.match_info["key"]})


async def touch(request: web.Request) -> web.Response:
    """Gives rows one stamp."""
    data = await sent(request)
    keys = data.get("keys")
    if isinstance(keys, bool) or not isinstance(keys, int | list):
        msg = f"keys must be a number of rows or a list of keys; found {keys!r}"
        raise ValueError(msg)  # noqa: TRY004 - what was sent is wrong, no type of ours
    touched = controls_of(request).touch(request.match_info["resource"], keys, text_of(data, "at"))
    return json_answer({"touched": touched})


async def churn(request: web.Request) -> web.Response:
    """Changes rows now."""
    data = await sent(request)
    wanted = data.get("rows", 1)
    if not isinstance(wanted, int) or wanted < 0:
        msg = f"rows must be a whole number, 0 or more; found {wanted!r}"
        raise ValueError(msg)
    return json_answer(controls_of(request).churn(wanted, text_of(data, "resource")))


async def traps(request: web.Request) -> web.Response:
    """Shows the switches."""
    return json_answer(controls_of(request).traps())


async def switch(request: web.Request) -> web.Response:
    """Changes switches; none of them when one is wrong."""
    data = await sent(request)
    controls_of(request).trap(**data)
    return json_answer({"changed": sorted(data)})


async def switch_back(request: web.Request) -> web.Response:
    """Turns all switches back."""
    controls_of(request).clear_traps()
    return json_answer({"cleared": True})


async def transform_map(request: web.Request) -> web.Response:
    """Sets the transform map of a staging table."""
    data = await sent(request)
    staging, target, coalesce = text_of(data, "staging"), text_of(data, "target"), data.get("coalesce", [])
    if not staging or not target or not isinstance(coalesce, list):
        msg = "expected staging and target, and coalesce as a list of fields"
        raise ValueError(msg)
    names = {name: str(value) for name, value in _members(data, "fields").items()}
    controls_of(request).transform_map(staging, target, [str(one) for one in coalesce], names)
    return json_answer({"staging": staging, "target": target}, 201)


async def purge(request: web.Request) -> web.Response:
    """Forgets staged rows."""
    return json_answer({"purged": controls_of(request).purge_staged(text_of(await sent(request), "staging"))})


async def expire(request: web.Request) -> web.Response:
    """Lets sync tokens run out."""
    controls_of(request).expire_sync_tokens()
    return json_answer({"expired": True})


def routes(base: str) -> list[web.RouteDef]:
    """Returns the routes of these pages below `base`."""
    one = f"{base}/rows/{{resource}}"
    return [
        web.get(one, rows),
        web.post(one, insert),
        web.patch(f"{one}/{{key}}", update),
        web.delete(f"{one}/{{key}}", delete),
        web.get(f"{base}/ids/{{resource}}", ids),
        web.post(f"{base}/touch/{{resource}}", touch),
        web.get(f"{base}/counts", counts),
        web.post(f"{base}/churn", churn),
        web.get(f"{base}/traps", traps),
        web.post(f"{base}/traps", switch),
        web.delete(f"{base}/traps", switch_back),
        web.post(f"{base}/maps", transform_map),
        web.post(f"{base}/purge", purge),
        web.post(f"{base}/expire", expire),
    ]
