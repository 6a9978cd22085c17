"""Answers and refusals in the dialect of the API that was asked, and pages kept as bytes."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from http import HTTPStatus
from uuid import uuid4

import orjson
from aiohttp import web

from worker.sandbox.paths import FORM_PATHS

CACHE_BYTES = 256 * 1024 * 1024  # enough for a walk over 200,000 rows


class Refusal(Exception):
    """Ends the handling of a request with this response."""

    def __init__(self, response: web.Response) -> None:
        super().__init__(response.status)
        self.response = response


def json_answer(data: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Returns data as a JSON response."""
    return bytes_answer(orjson.dumps(data), status, headers)


def bytes_answer(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Returns bytes that are JSON already as a response."""
    return web.Response(body=body, status=status, headers=headers, content_type="application/json", charset="utf-8")


def tangoe_error(status: int, code: str, message: str) -> web.Response:
    """Returns an error as MOBPROC words it; `id` names this one occurrence."""
    body = {"status": status, "id": str(uuid4()), "errorCode": code, "message": message}
    return json_answer(body, status)


def now_error(status: int, message: str, detail: str | None = None) -> web.Response:
    """Returns an error as ServiceNow's REST APIs word it."""
    return json_answer({"error": {"message": message, "detail": detail}, "status": "failure"}, status)


def error_for(path: str, status: int, message: str) -> web.Response:
    """Returns an error in the dialect spoken at this path."""
    if path in FORM_PATHS:
        return json_answer({"error": "server_error", "error_description": message}, status)
    if path.startswith("/mobproc/"):
        try:
            code = HTTPStatus(status).name
        except ValueError:
            code = "UNKNOWN"
        return tangoe_error(status, code, message)
    return now_error(status, message)


def origin(request: web.Request) -> str:
    """Returns scheme and host as the caller spelled them, so that links lead back the same way."""
    return f"{request.scheme}://{request.host}"


def number(request: web.Request, name: str, default: int, least: int, most: int | None = None) -> int:
    """Returns a whole-number parameter; raises ValueError with a sentence that says what was expected."""
    text = request.query.get(name)
    if text is None:
        return default
    limit = f"{least} to {most}" if most is not None else f"{least} or more"
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= (most or int(text)):
        msg = f"parameter {name} must be a whole number, {limit}; found {text!r}"
        raise ValueError(msg)
    return int(text)


Page = tuple[bytes, dict[str, str]]


class PageCache:
    """Encoded pages with their headers, the least used dropped first; keys must hold the table's version."""

    def __init__(self, limit: int = CACHE_BYTES) -> None:
        self._limit = limit
        self._size = 0
        self._pages: OrderedDict[tuple[object, ...], Page] = OrderedDict()

    def get(self, key: tuple[object, ...], make: Callable[[], Page]) -> Page:
        """Returns the page kept under the key, made now if there is none."""
        page = self._pages.get(key)
        if page is None:
            page = self._pages[key] = make()
            self._size += len(page[0])
            while self._size > self._limit and len(self._pages) > 1:
                self._size -= len(self._pages.popitem(last=False)[1][0])
        else:
            self._pages.move_to_end(key)
        return page
