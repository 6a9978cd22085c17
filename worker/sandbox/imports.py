"""The routes of the Import Set API: one row at once, many to be processed later, and what became of one."""

import asyncio
from uuid import uuid4

from aiohttp import web

from worker.sandbox.answers import Refusal, json_answer, now_error, origin
from worker.sandbox.importset import by_name
from worker.sandbox.servicenow import admit, body_of


async def one(request: web.Request) -> web.Response:
    """Loads one row and answers 201 with its verdict; 201 with status `error` is how a bad row looks."""
    state = admit(request)
    imports = state.imports
    staging = request.match_info["staging"]
    row = await body_of(request)
    import_set = imports.open(staging)
    verdict = imports.transform(staging, imports.stage(staging, import_set, row), origin(request))
    imports.close(str(import_set["sys_id"]))
    if state.traps.import_hidden:
        return web.Response(status=201)
    body = {"import_set": import_set["number"], "staging_table": staging, "result": [verdict]}
    return json_answer(body, 201)


async def many(request: web.Request) -> web.Response:
    """Takes `{"records": [...]}` and answers with ids only: the rows are transformed after the answer."""
    state = admit(request)
    imports = state.imports
    records = (await body_of(request)).get("records")
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise Refusal(now_error(400, "Invalid request body", 'Expected {"records": [{...}, ...]}'))
    staging = request.match_info["staging"]
    multi = request.query.get("multi_import_set_id") or uuid4().hex
    import_set = imports.open(staging, multi, request.query.get("run_after", ""))
    if state.traps.import_labels:
        records = [{by_name(label): value for label, value in record.items()} for record in records]
    imports.queue(staging, import_set, [imports.stage(staging, import_set, record) for record in records])
    asyncio.get_running_loop().call_soon(imports.run)
    if state.traps.import_hidden:
        return web.Response(status=201)
    return json_answer({"import_set_id": import_set["sys_id"], "multi_import_set_id": multi}, 201)


async def staged(request: web.Request) -> web.Response:
    """Answers with a staged row and its state."""
    imports = admit(request).imports
    staging = request.match_info["staging"]
    imports.looked(staging)
    table = imports.table(staging)
    found = None if table is None else table.get(request.match_info["sys_id"])
    if found is None:
        raise Refusal(now_error(404, "No Record found", "The staged row does not exist or was purged"))
    return json_answer({"result": found})


def routes() -> list[web.RouteDef]:
    """Returns the routes of the Import Set API, without and with a version."""
    found = []
    for base in ("/api/now/import/{staging}", "/api/now/{version:v[12]}/import/{staging}"):
        found += [
            web.post(base, one),
            web.post(f"{base}/insertMultiple", many),
            web.get(f"{base}/{{sys_id}}", staged),
        ]
    return found
