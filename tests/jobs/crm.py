"""A small API that takes rows, for tests of REST destinations: it can lose answers, refuse rows and forget nothing."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote

import orjson

from jobs.contract import Answer, Delivery, FailedAnswer, Json, Record, Unanswered, Unit, WorkerError
from jobs.flow import Batch, Page
from jobs.progress import Progress
from jobs.sinks.polling import Pace
from jobs.sinks.rest import RestDestination
from jobs.sinks.restoptions import RestDestinationOptions
from jobs.testing import MemoryContext, Request, answer

BAD = "!error"  # a row whose name is this is refused


class Died(BaseException):
    """What a kill -9 is in these tests: no handler of ours gets to see it."""


class Unsent(WorkerError):
    """The request never left."""

    kind = "unreachable"


class Failed(FailedAnswer):
    """An answer of 400 or more."""

    def __init__(self, status: int, body: Json = None, retry_after_s: float | None = None) -> None:
        super().__init__(f"POST https://api.test/orders (account crm): answered {status}; check the request.")
        self.status, self.body, self.retry_after_s = status, orjson.dumps(body), retry_after_s


@dataclass
class Mortal(MemoryContext):
    """A context whose process can die: what `deaths` says is played one a transaction: before, after, or fine."""

    deaths: Iterator[str] = field(default_factory=lambda: iter(()))
    is_dead: bool = False

    @contextmanager
    def unit(self, database: str | None = None, upto_call: int | None = None) -> Iterator[Unit]:
        """Opens a transaction; a dead process opens none."""
        death = "before" if self.is_dead else next(self.deaths, "fine")
        self.is_dead = death != "fine"
        if death == "before":
            raise Died
        with super().unit(database, upto_call) as unit:
            yield unit
        if self.is_dead:
            raise Died

    def ask(self, request: Request) -> Answer:
        """Sends a request; a process that was killed over it is dead."""
        if self.is_dead:
            raise Died
        try:
            return super().ask(request)
        except Died:
            self.is_dead = True
            raise

    def reborn(self) -> None:
        """Starts the process again."""
        self.is_dead = False
        self.attempt += 1


@dataclass
class Crm:
    """Orders by id; `faults` are played one a writing request: lost, unsent, killed, 500, 503, 429, html, or fine.

    What is lost or killed was done before; `unsent` and statuses were not, but for `500`, which was.
    """

    faults: Iterator[str] = field(default_factory=lambda: iter(()))
    orders: dict[str, Record] = field(default_factory=dict)
    keys: dict[str, Answer] = field(default_factory=dict)
    seen: list[Request] = field(default_factory=list)
    pending: int = 0  # looks at an import until it is done
    imports: dict[str, list[Record]] = field(default_factory=dict)
    made: int = 0

    def __call__(self, request: Request) -> Answer | Exception:
        """Answers a request."""
        if request.method == "GET":
            return self._read(request)
        self.seen.append(request)
        fault = next(self.faults, "fine")
        if fault in ("unsent", "429", "503"):
            return Unsent("it never left") if fault == "unsent" else Failed(int(fault), retry_after_s=1.0)
        done = self._once(request)
        if fault == "killed":
            raise Died
        if fault == "lost":
            return Unanswered("no complete answer came")
        if fault == "500":
            return Failed(500)
        return replace(done, body=b"<html>") if fault == "html" and isinstance(done, Answer) else done

    def names(self) -> dict[str, list[Any]]:
        """Returns the names under which each row's key is there: more than one where it was doubled."""
        found: dict[str, list[Any]] = {}
        for order in self.orders.values():
            found.setdefault(str(order.get("key")), []).append(order.get("name"))
        return found

    def _once(self, request: Request) -> Answer | Exception:
        key = request.headers.get("Idempotency-Key", "")
        if key in self.keys:
            return self.keys[key]
        done = self._write(request)
        if key and isinstance(done, Answer):
            self.keys[key] = done
        return done

    def _write(self, request: Request) -> Answer | Exception:
        if request.path == "/batch":
            return answer({"results": [self._result(row) for row in request.json]})
        if request.path in ("/all", "/import"):
            return self._all(request.json) if request.path == "/all" else self._import(request.json["records"])
        return self._one(request, unquote(request.path.rpartition("/")[2]))

    def _one(self, request: Request, order: str) -> Answer | Exception:
        if request.method == "DELETE":
            return answer(None, 204) if self.orders.pop(order, None) else Failed(404)
        if request.json.get("name") == BAD:
            return Failed(422, {"message": f"the name is {BAD}"})
        if request.method == "POST":
            return answer({"data": {"id": self._made(request.json)}}, 201)
        if request.method == "PATCH" and order not in self.orders:
            return Failed(404)
        self.orders[order] = self.orders.get(order, {}) | request.json
        return answer({"data": {"id": order}})

    def _made(self, row: Record) -> str:
        self.made += 1
        self.orders[f"o{self.made}"] = dict(row)
        return f"o{self.made}"

    def _result(self, row: Record) -> Record:
        if row["name"] == BAD:
            return {"key": row["key"], "state": "error", "message": "bad name"}
        return {"key": row["key"], "state": "ok", "id": self._made(row)}

    def _all(self, rows: Sequence[Record]) -> Answer | Exception:
        """All rows or none."""
        if any(row["name"] == BAD for row in rows):
            return Failed(400, {"message": "a row is bad"})
        for row in rows:
            self._made(row)
        return answer({"ok": True})

    def _import(self, rows: Sequence[Record]) -> Answer:
        self.imports[f"i{len(self.imports)}"] = [self._result(row) for row in rows]
        return answer({"import_id": f"i{len(self.imports) - 1}"}, 202)

    def _read(self, request: Request) -> Answer | Exception:
        if request.path.startswith("/imports/"):
            self.pending -= 1
            rows = self.imports[request.path.split("/")[2]]
            return answer({"finished": self.pending < 0, "rows": rows if self.pending < 0 else rows[:1]})
        found = [
            order | {"id": key} for key, order in self.orders.items() if str(order["key"]) == request.params["key"]
        ]
        return answer({"items": found})


def options(**given: Json) -> RestDestinationOptions:
    """Returns a destination that posts orders, told otherwise by what is given."""
    base: dict[str, Json] = {"account": "crm", "path": "/orders", "key": "key", "id": "data.id"}
    return RestDestinationOptions.model_validate(base | given)


LOOKUP = {"path": "/orders", "params": {"key": "{key}"}, "records": "items", "found": "id"}
UPDATE = {"path": "/orders/{remote_id}"}


def row(key: str | int, name: str = "a") -> Record:
    """Returns a row."""
    return {"key": key, "name": name}


def batch(rows: Sequence[Record], **page: Any) -> Batch:  # noqa: ANN401 - the fields of a page
    """Returns rows as they come from a page whose records they are."""
    return Batch(Page(list(rows), **page), list(rows), list(rows))


@dataclass
class Clock:
    """Time that passes by waiting."""

    now: float = 0.0

    def pace(self) -> Pace:
        """Returns how a destination waits on this clock."""
        return Pace(self.wait, lambda: self.now)

    def wait(self, seconds: float) -> None:
        """Lets time pass."""
        self.now += seconds


def deliver(
    context: MemoryContext, rows: Sequence[Record], *, page: dict[str, Any] | None = None, **given: Json
) -> None:
    """Sends one page of rows."""
    sink = RestDestination(options(**given), context, Progress(context), pace=Clock().pace())
    sink.begin()
    sink.store([batch(rows, **(page or {}))])
    sink.finish()


def states(context: MemoryContext) -> dict[str, str]:
    """Returns the state of each row by its key."""
    return {key: delivery.state for key, delivery in context.sent.items()}


def remember(context: MemoryContext, *deliveries: Delivery) -> None:
    """Stores deliveries as an earlier run would have left them."""
    with context.unit() as unit:
        unit.deliver(deliveries)
