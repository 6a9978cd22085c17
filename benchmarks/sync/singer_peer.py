"""Singer's SDK moves the same records, tuned: a tap and a target of our own, as small as they can be, joined by a pipe.

msgspec reads and writes the messages, no JSONPath picks the records, no row is validated against its schema, batches
have 20,000 rows, and the target writes by executemany or COPY as the bare loop does. The only SQLite target on PyPI
is years old. Runs in the peers' environment; the work begins when both have imported what they need.
"""

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import requests
from singer_sdk import RESTStream, Tap, Target
from singer_sdk.contrib.msgspec import MsgSpecReader, MsgSpecWriter
from singer_sdk.pagination import BaseOffsetPaginator
from singer_sdk.sinks import BatchSink

from benchmarks.sync.bare import opened
from benchmarks.sync.data import CLIENT_ID, CLIENT_SECRET, KINDS, TABLE
from benchmarks.sync.spec import Spec, Told, perform

_BATCH = 20_000  # rows
_TYPES = {"bigint": "integer", "double precision": "number", "boolean": "boolean"}
_SCHEMA = {  # without the format date-time: the target would parse each time
    "type": "object",
    "properties": {name: {"type": [_TYPES.get(kind, "string"), "null"]} for name, kind in KINDS.items()},
}
_SPEC = {"type": "object", "properties": {"spec": {"type": "string"}}}


class Pages(BaseOffsetPaginator):
    """Goes on until the total is reached."""

    def has_more(self, response: requests.Response) -> bool:
        """Tells whether there is another page."""
        return self.current_value + self.page_size < _total(response)


def _total(response: requests.Response) -> int:
    return int(orjson.loads(response.content[:40].split(b",")[0] + b"}")["total"])


class Devices(RESTStream[int]):
    """The records."""

    name = TABLE
    path = "/devices"
    primary_keys = ("id",)
    schema = _SCHEMA

    def __init__(self, tap: Tap) -> None:
        super().__init__(tap)
        self._spec = Spec(**json.loads(self.config["spec"]))
        form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        self._token = requests.post(f"{self._spec.url}/token", data=form, timeout=60).json()["access_token"]

    @property
    def url_base(self) -> str:
        """Where paths begin."""
        return self._spec.url

    @property
    def http_headers(self) -> dict[str, str]:
        """The token."""
        return {"Authorization": f"Bearer {self._token}"}

    def get_new_paginator(self) -> Pages:
        """Returns where to begin."""
        return Pages(0, self._spec.size)

    def get_url_params(self, context: Any, next_page_token: int | None) -> dict[str, Any]:  # noqa: ANN401, ARG002  the SDK's form
        """Returns which page is asked for."""
        return {"offset": next_page_token or 0, "limit": self._spec.size}

    def parse_response(self, response: requests.Response) -> Iterator[dict[str, Any]]:
        """Yields the records."""
        yield from orjson.loads(response.content)["items"]


class Reader(Tap):
    """The tap."""

    name = "tap-benchmark"
    config_jsonschema = _SPEC
    message_writer_class = MsgSpecWriter

    def discover_streams(self) -> list[Devices]:
        """Returns the only stream."""
        return [Devices(self)]


class Table(BatchSink):
    """Writes batches as the bare loop writes pages."""

    max_size = _BATCH

    @property
    def validate_schema(self) -> bool:
        """No row is validated."""
        return False

    def process_batch(self, context: dict[str, Any]) -> None:
        """Upserts what has gathered; each batch may come in a thread of its own."""
        connection, write = opened(Spec(**json.loads(self.config["spec"])))
        with closing(connection):
            write(connection, [context["records"]])


class Writer(Target):
    """The target."""

    name = "target-benchmark"
    config_jsonschema = _SPEC
    default_sink_class = Table
    message_reader_class = MsgSpecReader


def work(spec: Spec) -> Told:
    """Joins the two by a pipe; returns once the target has ended."""
    command = [sys.executable, "-m", "benchmarks.sync.singer_peer"]
    text = spec.to_json()
    tap = subprocess.Popen([*command, "tap", text], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)  # noqa: S603  ourselves
    target = subprocess.Popen([*command, "target", text], stdin=tap.stdout, stdout=subprocess.DEVNULL)  # noqa: S603  ourselves
    if tap.wait() or target.wait():
        raise RuntimeError(f"the tap ended with {tap.returncode}, the target with {target.returncode}")
    begun = max(float((Path(spec.folder) / role).read_text()) for role in ("tap", "target"))
    return Told(time.monotonic() - begun, 0.0)


def play(role: str, text: str) -> None:
    """Is the tap or the target."""
    spec = Spec(**json.loads(text))
    (Path(spec.folder) / role).write_text(str(time.monotonic()))
    config = {"spec": json.dumps(asdict(spec))}
    if role == "tap":
        Reader(config=config).sync_all()
    else:
        sqlite3.register_adapter(Decimal, float)  # which the SDK's reader makes of floats
        Writer(config=config).listen()


if __name__ == "__main__":
    if sys.argv[1] in ("tap", "target"):
        play(*sys.argv[1:])
    else:
        perform(work)
