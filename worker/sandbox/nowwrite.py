"""Writing through the Table API: records are made, changed and deleted; own fields are the instance's."""

from uuid import uuid4

from aiohttp import web

from worker.sandbox.answers import json_answer, origin
from worker.sandbox.nowread import Source, listing, one_of, single, source_of
from worker.sandbox.render import View, rendered
from worker.sandbox.rowcontrols import remove
from worker.sandbox.servicenow import admit, body_of
from worker.sandbox.state import State
from worker.sandbox.table import PLAIN, Row

_OWN = frozenset({"sys_id", "sys_created_on", "sys_created_by", "sys_updated_on", "sys_updated_by", "sys_mod_count"})


def _given(source: Source, data: dict[str, object]) -> Row:
    """Returns the values that a caller may set, as text; names that are no column are ignored."""
    known = source.columns - _OWN
    return {field: "" if value is None else str(value) for field, value in data.items() if field in known}


async def create(request: web.Request) -> web.Response:
    """Inserts one record."""
    state = admit(request)
    source = source_of(request, state)
    given = _given(source, await body_of(request))
    row: Row = dict.fromkeys(source.columns, "") | _own(state, source) | given
    source.table.put(row)
    place = {"Location": f"{origin(request)}/api/now/table/{source.name}/{row['sys_id']}"}
    return json_answer({"result": rendered(source.name, row, View.asked(request), state.world)}, 201, place)


def _own(state: State, source: Source) -> Row:
    """Returns the fields that the instance sets, those that the table has."""
    stamp = state.world.now().strftime(PLAIN)
    who = state.options.credentials.servicenow_username
    fields = {
        "sys_id": uuid4().hex,
        "sys_created_on": stamp,
        "sys_created_by": who,
        "sys_mod_count": "0",
        "sys_updated_on": stamp,
        "sys_updated_by": who,
    }
    return {name: value for name, value in fields.items() if name in source.columns}


async def change(request: web.Request) -> web.Response:
    """Changes one record."""
    state = admit(request)
    source, old = one_of(request, state)
    given = _given(source, await body_of(request))
    row = old | given
    if row != old:
        if "sys_updated_on" in source.columns:
            count = str(int(str(old["sys_mod_count"])) + 1)
            row |= {"sys_updated_on": state.world.now().strftime(PLAIN), "sys_mod_count": count}
        source.table.put(row)
    return json_answer({"result": rendered(source.name, row, View.asked(request), state.world)})


async def delete(request: web.Request) -> web.Response:
    """Deletes one record."""
    state = admit(request)
    source, row = one_of(request, state)
    remove(state, source.name, str(row["sys_id"]), source.table)
    return web.Response(status=204)


def routes() -> list[web.RouteDef]:
    """Returns the routes of the Table API, without and with a version."""
    found = []
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
