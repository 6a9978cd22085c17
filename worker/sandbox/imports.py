"""The routes of the Import Set API: one row at once, many to be processed later, and what became of one."""

import asyncio
from uuid import uuid4

from aiohttp import web

from worker.sandbox.answers import Refusal, json_answer, now_error, origin
from worker.sandbox.servicenow import admit, body_of
from worker.sandbox.state import state_of
from worker.sandbox.table import Row


async def one(request: web.Request) -> web.Response:
    """Loads one row and answers 201 with its verdict; 201 with status `error` is how a bad row looks."""
    imports = admit(request).imports
    staging = request.match_info["staging"]
    row = await body_of(request)
    import_set = imports.open()
    verdict = imports.load(staging, import_set, row, origin(request))
    body = {"import_set": import_set, "staging_table": staging, "result": [verdict]}
    return json_answer(body, 201)


async def many(request: web.Request) -> web.Response:
    """Takes `{"records": [...]}` and answers with ids only: the rows are transformed after the answer."""
    imports = admit(request).imports
    records = (await body_of(request)).get("records")
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise Refusal(now_error(400, "Invalid request body", 'Expected {"records": [{...}, ...]}'))
    import_set = imports.open()
    staging, base = request.match_info["staging"], origin(request)

    def process() -> None:
        for record in records:
            imports.load(staging, import_set, record, base)

    asyncio.get_running_loop().call_soon(process)
    many_id = request.query.get("multi_import_set_id") or uuid4().hex
    return json_answer({"import_set_id": import_set, "multi_import_set_id": many_id}, 201)


async def staged(request: web.Request) -> web.Response:
    """Answers with a staged row and its state."""
    admit(request)
    found: Row | None = state_of(request).imports.staged(request.match_info["staging"], request.match_info["sys_id"])
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
