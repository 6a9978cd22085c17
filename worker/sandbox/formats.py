"""The items in other forms: as NDJSON, as CSV, and as the answer to a search whose filter and paging are posted."""

import csv
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from io import StringIO

import orjson
from aiohttp import web

from worker.sandbox.answers import json_answer, number
from worker.sandbox.feed import object_of
from worker.sandbox.generic import DEFAULT_SIZE, MOST, Act, link_header
from worker.sandbox.state import State
from worker.sandbox.table import Row
from worker.sandbox.weigh import paged

TESTS: dict[str, Callable[[str, object], bool]] = {
    "eq": lambda found, wanted: found == str(wanted),
    "gt": lambda found, wanted: found > str(wanted),
    "gte": lambda found, wanted: found >= str(wanted),
    "lt": lambda found, wanted: found < str(wanted),
    "lte": lambda found, wanted: found <= str(wanted),
    "in": lambda found, wanted: isinstance(wanted, list) and found in map(str, wanted),
}


def ndjson(rows: list[Row]) -> bytes:
    """Returns one JSON object a line."""
    return b"".join(orjson.dumps(row) + b"\n" for row in rows)


def as_csv(rows: list[Row]) -> bytes:
    """Returns CSV with a header (RFC 4180): nested values as JSON, null as nothing."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow(names)
    writer.writerows([_cell(row.get(name)) for name in names] for row in rows)
    return text.getvalue().encode()


def _cell(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _in_form(write: Callable[[list[Row]], bytes], kind: str) -> Act:
    async def items(request: web.Request, state: State) -> web.Response:
        table = state.world.table("items")
        size = number(request, "per_page", max(1, len(table)), 1)
        offset = (number(request, "page", 1, 1) - 1) * size
        rows = table.slice_by_key(offset, offset + size)
        headers = {"Link": link_header(request, size, offset, len(table))}
        body = web.Response(body=write(rows), headers=headers, content_type=kind, charset="utf-8")
        return await paged(request, state, body, len(rows))

    return items


async def search(request: web.Request, state: State) -> web.Response:
    """Answers with the items that a posted filter wants; `limit` with `offset` or `cursor` stand in the body too.

    A filter is an object: a field, dots lead into objects, with a value or with an object of tests (`gte`, `in`, ...).
    """
    asked = await object_of(request)
    wanted = asked.get("filter") or {}
    if not isinstance(wanted, dict):
        msg = f"filter must be an object, found {type(wanted).__name__}"
        raise ValueError(msg)  # noqa: TRY004 - what was sent is wrong, no type of ours
    table = state.world.table("items")
    found = [row for row in table.slice_by_key(0, None) if _wanted(row, wanted)]
    size, offset = _count(asked, "limit", DEFAULT_SIZE), _offset(asked)
    if not 1 <= size <= MOST:
        msg = f"limit must be a whole number, 1 to {MOST}; found {size}"
        raise ValueError(msg)
    end = offset + size
    following = b64encode(b"\xfe" + str(end).encode()).decode() if end < len(found) else None
    more: Row = {"total": len(found), "next_cursor": following, "next_offset": end if following else None}
    return await paged(request, state, json_answer({"data": found[offset:end]} | more), len(found[offset:end]))


def _count(asked: Mapping[str, object], name: str, default: int) -> int:
    value = asked.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        msg = f"{name} must be a whole number, 0 or more; found {value!r}"
        raise ValueError(msg)
    return value


def _offset(asked: Mapping[str, object]) -> int:
    cursor = asked.get("cursor")
    return int(b64decode(str(cursor), validate=True)[1:]) if cursor else _count(asked, "offset", 0)


def _wanted(row: Row, wanted: Mapping[str, object]) -> bool:
    for name, test in wanted.items():
        found: object = row
        for part in name.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        tests = test if isinstance(test, dict) else {"eq": test}
        if found is None or not all(_test(kind)(str(found), value) for kind, value in tests.items()):
            return False
    return True


def _test(kind: str) -> Callable[[str, object], bool]:
    if kind not in TESTS:
        msg = f"filter knows {', '.join(TESTS)}; found {kind!r}"
        raise ValueError(msg)
    return TESTS[kind]


ROUTES: dict[tuple[str, str], Act] = {
    ("GET", "/items.ndjson"): _in_form(ndjson, "application/x-ndjson"),
    ("GET", "/items.csv"): _in_form(as_csv, "text/csv"),
    ("POST", "/search"): search,
}
