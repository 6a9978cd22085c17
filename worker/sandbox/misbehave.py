"""Plays a fault: each kind is one small way to give a wrong answer, or none."""

import asyncio
import gzip
import zlib
from collections.abc import Awaitable, Callable, Iterator, Mapping

from aiohttp import web

from worker.sandbox.answers import bytes_answer, error_for, json_answer
from worker.sandbox.calllog import is_secret
from worker.sandbox.faults import Fault
from worker.sandbox.state import FORM

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Player = Callable[[web.Request, Handler, Fault], Awaitable[web.StreamResponse]]

PAGE = b"""<!DOCTYPE html><html><head><title>Sign in</title></head>
<body><form action="/login" method="post"><input name="user"><input type="password" name="password"></form>
</body></html>"""
_HUGE = 300_000_000  # bytes
_CHUNK = b" " * 65_536


async def act(request: web.Request, handler: Handler) -> web.Response:
    """Does what was asked and returns the whole answer, still unsent."""
    answer = await handler(request)
    if not isinstance(answer, web.Response):
        msg = f"sandbox: {request.path} streams its answer; this fault needs a whole one"
        raise TypeError(msg)
    return answer


def payload(answer: web.Response) -> bytes:
    """Returns the body of an unsent answer."""
    body = answer.body
    return bytes(body) if isinstance(body, bytes | bytearray | memoryview) else b""


def _hang_up(request: web.Request) -> None:
    """Closes the connection once what was written is out; aiohttp then finds no way to send more."""
    if request.transport is not None:
        request.transport.close()


async def _stream(request: web.Request, status: int, headers: Mapping[str, str]) -> web.StreamResponse:
    stream = web.StreamResponse(status=status, headers={"Content-Type": "application/json", **headers})
    await stream.prepare(request)
    return stream


async def status(request: web.Request, _handler: Handler, fault: Fault) -> web.StreamResponse:
    """Answers with a status, a body (given, or in the API's dialect) and perhaps Retry-After."""
    code = fault.status or 503
    if fault.body is None:
        answer = error_for(request.path, code, f"fault on demand: status {code}")
    else:
        answer = json_answer(fault.body, code)
    answer.headers.update(fault.headers)
    if fault.retry_after is not None:
        answer.headers["Retry-After"] = str(fault.retry_after)
    return answer


async def raw(_request: web.Request, _handler: Handler, fault: Fault) -> web.StreamResponse:
    """Answers with a text that says it is JSON: the body given, or an object that breaks off before any `error`."""
    text = fault.body if isinstance(fault.body, str) else '{"message": "fault on demand", '
    return bytes_answer(text.encode(), fault.status or 400)


async def html(_request: web.Request, _handler: Handler, fault: Fault) -> web.StreamResponse:
    """Answers with a login page."""
    return web.Response(body=PAGE, status=fault.status or 200, content_type="text/html", charset="utf-8")


async def empty(_request: web.Request, _handler: Handler, fault: Fault) -> web.StreamResponse:
    """Answers with a good status (200, or 202 as ServiceNow does under load) and no body."""
    return web.Response(status=fault.status or 200)


async def redirect(_request: web.Request, _handler: Handler, fault: Fault) -> web.StreamResponse:
    """Sends the caller elsewhere."""
    return web.Response(status=fault.status or 302, headers={"Location": fault.location})


async def drop(request: web.Request, _handler: Handler, _fault: Fault) -> web.StreamResponse:
    """Closes the connection without having acted."""
    _hang_up(request)
    return web.Response()


async def lost_answer(request: web.Request, handler: Handler, _fault: Fault) -> web.StreamResponse:
    """Acts, then closes the connection without an answer."""
    await act(request, handler)
    _hang_up(request)
    return web.Response()


async def delay(request: web.Request, handler: Handler, fault: Fault) -> web.StreamResponse:
    """Waits, then acts and answers well."""
    await asyncio.sleep(fault.seconds)
    return await handler(request)


async def _cut(request: web.Request, answer: web.Response, body: bytes, headers: dict[str, str]) -> web.StreamResponse:
    stream = await _stream(request, answer.status, headers | {"Content-Length": str(max(2, len(body)))})
    await stream.write(body[: max(1, len(body) // 2)])
    _hang_up(request)
    return stream


async def truncate(request: web.Request, handler: Handler, _fault: Fault) -> web.StreamResponse:
    """Acts, announces the whole length, sends half and hangs up."""
    answer = await act(request, handler)
    return await _cut(request, answer, payload(answer), {})


async def truncate_gzip(request: web.Request, handler: Handler, _fault: Fault) -> web.StreamResponse:
    """Acts and sends half of the gzip stream as if it were all: the length is right, the end is missing."""
    answer = await act(request, handler)
    packed = gzip.compress(payload(answer))
    headers = {"Content-Encoding": "gzip"}
    return bytes_answer(packed[: len(packed) // 2], answer.status, headers)


async def malformed_json(request: web.Request, handler: Handler, _fault: Fault) -> web.StreamResponse:
    """Acts and sends JSON that lacks its end."""
    answer = await act(request, handler)
    return bytes_answer(payload(answer)[:-1] + b',"cut":', answer.status)


async def drip(request: web.Request, handler: Handler, fault: Fault) -> web.StreamResponse:
    """Acts and sends one byte per interval."""
    answer = await act(request, handler)
    body = payload(answer)
    stream = await _stream(request, answer.status, {"Content-Length": str(len(body))})
    for at in range(len(body)):
        await stream.write(body[at : at + 1])
        await asyncio.sleep(fault.seconds)
    return stream


async def huge(request: web.Request, _handler: Handler, fault: Fault) -> web.StreamResponse:
    """Streams `size` bytes of valid JSON, holding one chunk at a time."""
    size = _HUGE if fault.size is None else fault.size
    stream = await _stream(request, fault.status or 200, {"Content-Length": str(size)})
    for chunk in _blank_json(size):
        await stream.write(chunk)
    return stream


def _blank_json(size: int) -> Iterator[bytes]:
    """Yields an empty list, blown up with blanks to so many bytes."""
    yield b"["
    for left in range(size - 2, 0, -len(_CHUNK)):
        yield _CHUNK[:left]
    yield b"]"


async def gzip_bomb(request: web.Request, _handler: Handler, fault: Fault) -> web.StreamResponse:
    """Sends a small gzip body that inflates to `size` bytes."""
    stream = await _stream(request, fault.status or 200, {"Content-Encoding": "gzip"})
    packer = zlib.compressobj(9, wbits=31)
    for chunk in _blank_json(_HUGE if fault.size is None else fault.size):
        packed = packer.compress(chunk)
        if packed:
            await stream.write(packed)
    await stream.write(packer.flush())
    return stream


async def echo_token(request: web.Request, _handler: Handler, fault: Fault) -> web.StreamResponse:
    """Refuses, and repeats the caller's secrets in the body, as careless servers do."""
    header = request.headers.get("Authorization", "")
    given = [*request.query.items(), *request.headers.items(), *request.get(FORM, {}).items()]
    shown = {str(name): value for name, value in given if is_secret(name)}
    data = {"error": "invalid_request", "error_description": f"rejected: {header}", "received": shown}
    return json_answer(data, fault.status or 400)


PLAYERS: dict[str, Player] = {
    "status": status,
    "raw": raw,
    "html": html,
    "empty": empty,
    "redirect": redirect,
    "drop": drop,
    "lost_answer": lost_answer,
    "delay": delay,
    "truncate": truncate,
    "truncate_gzip": truncate_gzip,
    "malformed_json": malformed_json,
    "drip": drip,
    "huge": huge,
    "gzip_bomb": gzip_bomb,
    "echo_token": echo_token,
}
