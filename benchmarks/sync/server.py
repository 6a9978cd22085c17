"""The far end: pages encoded beforehand, behind OAuth 2 client credentials; a process of its own.

`/lN/devices?offset=&limit=` answers after N milliseconds with `{"total": ..., "items": [...]}`, and refuses a wrong
token and a page other than those it was made for. `/lN/changed` is one page of records spread over all, another
revision at each request.

    python -m benchmarks.sync.server --rows 200000 --pages 200     # prints its URL
"""

import argparse
import asyncio
import secrets
import sys
from urllib.parse import parse_qs, urlsplit

import orjson

from benchmarks.sync.data import CLIENT_ID, CLIENT_SECRET, changed, record, revised

_HEAD = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


class World:
    """What the server knows: its pages, and the tokens it gave out."""

    def __init__(self, rows: int, pages: int) -> None:
        self.size = rows // pages
        self.pages = [self._page(range(start, start + self.size), rows) for start in range(0, rows, self.size)]
        spread = range(0, rows, pages)
        self._changed = orjson.dumps({"total": len(spread), "items": [changed(n, 0) for n in spread]})
        self.tokens: set[str] = set()
        self._revision = 0

    def _page(self, numbers: range, total: int) -> bytes:
        return _framed(orjson.dumps({"total": total, "items": [record(number) for number in numbers]}))

    def token(self, form: dict[str, list[str]]) -> bytes:
        """Returns a new token to the right client."""
        if form.get("client_id") != [CLIENT_ID] or form.get("client_secret") != [CLIENT_SECRET]:
            return _framed(b'{"error":"invalid_client"}', b"401 Unauthorized")
        token = secrets.token_urlsafe(30)
        self.tokens.add(f"Bearer {token}")
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": 3600}
        return _framed(orjson.dumps(answer))

    def answer(self, resource: str, query: dict[str, list[str]], authorization: str) -> bytes:
        """Returns a page, or says what is wrong with the request."""
        if authorization not in self.tokens:
            return _framed(b'{"error":"invalid_token"}', b"401 Unauthorized")
        if resource == "changed":
            self._revision += 1
            return _framed(revised(self._changed, self._revision))
        offset, limit = int(query["offset"][0]), int(query["limit"][0])
        if limit != self.size or offset % limit:
            return _framed(b'{"error":"other pages were encoded"}', b"400 Bad Request")
        return self.pages[offset // limit]


def _framed(body: bytes, status: bytes = b"200 OK") -> bytes:
    return _HEAD % (status, len(body)) + body


class Connection(asyncio.Protocol):
    """One client's connection; one request at a time, as HTTP/1.1 clients without pipelining send them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Takes note of the way back."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(f"expected a stream, found {transport!r}")
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answers once a request is complete."""
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        line, *rest = head.decode().split("\r\n")
        headers = dict(map(_parted, rest))
        if len(body) < int(headers.get("content-length", "0")):
            return
        self._received = b""
        self._reply(line.split(" ")[1], headers, body.decode())

    def _reply(self, target: str, headers: dict[str, str], body: str) -> None:
        parts = urlsplit(target)
        if parts.path.endswith("/token"):
            self._transport.write(self._world.token(parse_qs(body)))
            return
        _, latency, resource = parts.path.split("/")
        answer = self._world.answer(resource, parse_qs(parts.query), headers.get("authorization", ""))
        wait_ms = int(latency.removeprefix("l"))
        if wait_ms:
            asyncio.get_running_loop().call_later(wait_ms / 1000, self._transport.write, answer)
        else:
            self._transport.write(answer)


def _parted(header: str) -> tuple[str, str]:
    name, _, value = header.partition(":")
    return name.lower(), value.strip()


async def serve(world: World) -> None:
    """Prints the URL and serves until standard input ends, which it does when the parent dies."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(world), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


def main() -> None:
    """Encodes the pages, then serves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--pages", type=int, default=200)
    asked = parser.parse_args()
    asyncio.run(serve(World(asked.rows, asked.pages)))


if __name__ == "__main__":
    main()
