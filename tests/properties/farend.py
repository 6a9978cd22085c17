"""A far end in memory: records that change between two requests, served by each kind of paging."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

from jobs.contract import Answer, Json
from jobs.testing import BASE_URL, Request, answer
from tests.jobs.servers import TableApi, asked

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
SPREAD = 40  # keys there can be: few, so that they come again
_FORMATS = {"iso": "%Y-%m-%dT%H:%M:%SZ", "servicenow": "%Y-%m-%d %H:%M:%S"}
State = tuple[str, int]  # key and revision: no record is ever in the same state twice


@dataclass
class Shop:
    """The records of the far end, and its clock in whole seconds since the start; keys never tell their age.

    A record with `hidden` is counted and not shown. `number` counts the changes, the latest one stands in each record.
    """

    style: str = "iso"  # of times: iso, servicenow or epoch
    late: int = 0  # seconds that a late record's stamp lies back
    clock: int = 0
    number: int = 0
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    stamps: dict[str, int] = field(default_factory=dict)
    revisions: dict[str, int] = field(default_factory=dict)

    def fill(self, count: int) -> None:
        """Adds records, some of them within the same second."""
        for place in range(count):
            self.insert(place * 7)
            self.clock += place % 3 == 0

    def insert(self, which: int) -> None:
        """Adds a record under a free key, anywhere in the order of keys; changes the first one where none is free."""
        free = [key for key in map(_key, range(SPREAD)) if key not in self.records]
        self._put(free[which % len(free)] if free else _key(which % SPREAD), self.clock)

    def update(self, which: int) -> None:
        """Changes a record."""
        if self.records:
            self._put(self._pick(which), self.clock)

    def sweep(self, which: int) -> None:
        """Changes the first record and, seconds later, the last one: a walk between them meets one of the two."""
        self.update(0)
        self.tick(which)
        self.update(len(self.records) - 1)

    def silent(self, which: int) -> None:
        """Changes a record and leaves its stamp as it was."""
        if self.records:
            key = self._pick(which)
            self._put(key, self.stamps[key])

    def late_insert(self, which: int) -> None:
        """Adds a record that shows up after its stamp: its transaction took so long."""
        before, self.clock = self.clock, self.clock - self.late
        self.insert(which)
        self.clock = before

    def delete(self, which: int) -> None:
        """Deletes a record."""
        if self.records:
            key = self._pick(which)
            del self.records[key], self.stamps[key]
            self.number += 1

    def tick(self, which: int) -> None:
        """Lets some seconds pass."""
        self.clock += 1 + which % 3

    def _pick(self, which: int) -> str:
        return sorted(self.records)[which % len(self.records)]

    def _put(self, key: str, at: int) -> None:
        self.number += 1
        self.revisions[key] = self.revisions.get(key, 0) + 1
        self.stamps[key] = at
        created = self.records.get(key, {}).get("created", at)
        self.records[key] = {"id": key, "rev": self.revisions[key], "created": created, "number": self.number}

    @property
    def now(self) -> datetime:
        """The clock."""
        return START + timedelta(seconds=self.clock)

    def told(self, at: int) -> str | int:
        """Returns a time as the far end writes it."""
        moment = START + timedelta(seconds=at)
        return int(moment.timestamp()) if self.style == "epoch" else moment.strftime(_FORMATS[self.style])

    def listing(self, order: str) -> list[dict[str, Any]]:
        """Returns all records, by `id`, by `updated` and id, or by `number`."""
        found = [
            row | {"updated": self.told(self.stamps[key]), "created": self.told(row["created"])}
            for key, row in sorted(self.records.items())
        ]
        return found if order == "id" else sorted(found, key=lambda row: row[order])

    def states(self) -> dict[str, int]:
        """Returns the revision of each record."""
        return {key: row["rev"] for key, row in self.records.items()}


def _key(number: int) -> str:
    return f"k{number:03}"


@dataclass(frozen=True)
class Habits:
    """How a far end serves its records."""

    kind: str
    order: str = "id"
    size: int = 3  # of its pages at most
    total: bool = False
    snaps: bool = False
    hidden: tuple[int, int] = (0, 0)  # keys from, to: access rules hide them after the page was cut
    blank: bool = False  # they come as {} instead

    def hides(self, row: Mapping[str, Any]) -> bool:
        """Tells whether access rules hide a record."""
        least, beyond = self.hidden
        return least <= int(str(row["id"])[1:]) < beyond


@dataclass
class Counter:
    """Serves the shop's records as its habits are."""

    shop: Shop
    habits: Habits

    def __call__(self, request: Request) -> Answer:
        """Answers one request."""
        if self.habits.kind == "servicenow":
            return self._table(request)
        return self._serving[self.habits.kind](asked(request))

    @property
    def _serving(self) -> dict[str, Callable[[Mapping[str, str]], Answer]]:
        behind: dict[str, Callable[[Mapping[str, str]], Answer]] = dict.fromkeys(
            ("link", "next_url", "token"), self._behind
        )
        return behind | {"none": self._whole, "offset": self._counted, "page": self._counted, "keyset": self._keyset}

    def _found(self, params: Mapping[str, str], order: str = "") -> list[dict[str, Any]]:
        """Returns the records that are asked for: those changed since, or those with a greater number."""
        rows = self.shop.listing(order or self.habits.order)
        if "sync" in params:
            return [row for row in rows if row["number"] > int(params["sync"])]
        if "since" in params:
            return [row for row in rows if str(row["updated"]) >= params["since"]]
        return rows

    def _whole(self, params: Mapping[str, str]) -> Answer:
        return answer({"items": self._found(params), "sync": str(self.shop.number)})

    def _counted(self, params: Mapping[str, str]) -> Answer:
        rows = self._found(params)
        size = int(params["limit"])
        start = int(params["offset"]) if self.habits.kind == "offset" else (int(params["page"]) - 1) * size
        start -= start % size if self.habits.snaps else 0
        given = size if self.habits.snaps or self.habits.kind == "page" else min(size, self.habits.size)
        total = {"total": len(rows)} if self.habits.total else {}
        return answer({"items": rows[start : start + given], "sync": str(self.shop.number)} | total)

    def _behind(self, params: Mapping[str, str]) -> Answer:
        """Answers with the page behind a record, wherever that stands by now, and names the next one."""
        fields = {"updated": ("updated", "id"), "id": ("id",), "number": ("number",)}[self.habits.order]
        place = params.get("at", "").split("|") if "at" in params else None
        rows = self._found(params)
        if place is not None:
            rows = [row for row in rows if _beyond(row, fields, place)]
        page, more = rows[: self.habits.size], len(rows) > self.habits.size
        at = "|".join(str(page[-1][name]) for name in fields) if more else ""
        shown = [row for row in page if not self.habits.hides(row)]
        kept = {name: value for name, value in params.items() if name in ("since", "sync")}
        url = f"{BASE_URL}/items?{urlencode(kept | {'at': at})}" if at else ""
        sync = {} if more else {"sync": str(self.shop.number)}
        headers = {"link": f'<{url}>; rel="next"'} if url and self.habits.kind == "link" else {}
        following = {"link": "", "next_url": url, "token": at}[self.habits.kind]
        return answer({"items": shown, "next": following or None} | sync, headers=headers)

    def _keyset(self, params: Mapping[str, str]) -> Answer:
        """Answers with what comes behind a key, or behind a time and a key."""
        rows = self._found(params)
        if "after" in params:
            if self.habits.order == "updated":
                rows = [r for r in rows if (str(r["updated"]), r["id"]) > (params["since"], params["after"])]
            else:
                rows = [row for row in rows if row["id"] > params["after"]]
        return answer({"items": rows[: int(params.get("limit", self.habits.size))]})

    def _table(self, request: Request) -> Answer:
        how = "blank" if self.habits.blank else "hidden"
        rows = {row["id"]: row | {how: self.habits.hides(row)} for row in self.shop.listing("id")}
        return TableApi(rows)(request)


def _beyond(row: Mapping[str, Any], fields: tuple[str, ...], place: list[str]) -> bool:
    if fields == ("number",):
        return int(row["number"]) > int(place[0])
    return [str(row[name]) for name in fields] > place


def doubled(states: list[Json]) -> list[Json]:
    """Returns what stands more than once among these."""
    return [one for one, group in groupby(sorted(states)) if len(list(group)) > 1]
