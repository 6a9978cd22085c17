"""Generated syncs: the job's options, the far end's habits, and everything that goes wrong on the way."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from hypothesis import strategies as st

from jobs.sync import SyncOptions
from tests.properties.farend import SPREAD, Habits

T = TypeVar("T")
Upset = tuple[int, str, int]
"""So many requests after the one before, what happens at the far end or to the request, and to which record."""

CHANGES = ("insert", "insert", "update", "update", "update", "update", "delete", "delete", "sweep", "tick", "tick")
FAILURES = ("500", "lost", "cut", "dies", "taken over")
DEATHS = {"statement": 60, "commit": 10, "committed": 10, "not": 10, "unknown": 10}  # kind, and how late at most

PAGING: Mapping[str, dict[str, Any]] = {
    "none": {"kind": "none"},
    "offset": {"kind": "offset"},
    "page": {"kind": "page", "page_param": "page", "size_param": "limit"},
    "link": {"kind": "link"},
    "next_url": {"kind": "next_url", "next": "next"},
    "token": {"kind": "token", "next": "next", "param": "at"},
    "keyset": {"kind": "keyset", "field": "id", "param": "after"},
    "servicenow": {"kind": "servicenow", "key": "id", "created": "created"},
}


@dataclass(frozen=True)
class Death:
    """When an attempt's process ends, or its database fails: at the n-th such moment."""

    kind: str
    after: int


@dataclass(frozen=True)
class Plan:
    """One case."""

    habits: Habits
    cursor: str = ""  # time, sorted, opaque
    style: str = "iso"
    late: int = 0  # seconds, covered by the look-back
    mode: str = "upsert"
    gone: str = "mark"
    away: bool = False
    prefetch: int = 0
    size: int = 3  # as asked for
    rows: int = 5
    tries: int = 2  # attempts of a run
    upsets: tuple[Upset, ...] = ()
    deaths: tuple[Death, ...] = ()  # of the attempts, in their order

    def options(self) -> SyncOptions:
        """Returns the job's options."""
        source = {"account": "far", "path": "/items", "records": "items", "paging": self._paging()}
        destination: dict[str, Any] = {"table": "t", "mode": self.mode}
        if self.mode != "append":
            destination["key"] = "id"
        if self.mode == "mirror":
            destination |= {"gone": self.gone, "guard": {"max_delete": "100%"}}
        if self.away:
            destination["database"] = "other"
        if self.cursor:
            source["cursor"] = self._cursor()
        if self.habits.kind == "servicenow":
            source["records"] = "result"
        whole = {"full_every": "4s"} if self.cursor and self.mode == "mirror" else {}
        given = {"source": source, "destination": destination, "prefetch": self.prefetch}
        return SyncOptions.model_validate(given | whole)

    def _paging(self) -> dict[str, Any]:
        kind, paging = self.habits.kind, dict(PAGING[self.habits.kind])
        if kind in ("offset", "page", "servicenow"):
            paging |= {"size": self.size, "min_size": 1}
        if kind == "keyset":
            paging |= {"size": self.size, "size_param": "limit", "min_size": 1}
            if self.habits.order == "updated":
                paging["stamp"] = {"field": "updated", "param": "since"}
        if self.habits.total:
            paging["total"] = "total"
        if self.habits.snaps:
            paging["snaps"] = True
        return paging

    def _cursor(self) -> dict[str, Any]:
        if self.cursor == "opaque":
            return {"kind": "opaque", "param": "sync", "next": "sync"}
        found: dict[str, Any] = {"field": "updated", "format": self.style, "lookback": f"{self.late}s"}
        if self.habits.kind != "servicenow":
            found |= {"param": "since", "sorted": self.cursor == "sorted"}
        return found


def _habits(kind: str, cursor: str) -> st.SearchStrategy[Habits]:
    """Returns how a far end may serve a job with such a cursor without losing records of itself."""
    sizes = st.integers(1, 3)
    if cursor == "opaque":
        return st.builds(Habits, st.just(kind), st.just("number"), sizes)
    hidden = st.one_of(st.just((0, 0)), st.tuples(st.integers(0, 15), st.integers(20, SPREAD)))
    if kind == "servicenow":
        return st.builds(Habits, st.just(kind), size=sizes, hidden=hidden, blank=st.booleans())
    order = st.just("updated") if cursor == "sorted" else st.sampled_from(["id", "updated"])
    if kind in ("link", "next_url", "token"):
        return st.builds(Habits, st.just(kind), order, sizes, hidden=hidden)
    if kind == "keyset":
        order = st.just("updated") if cursor == "sorted" else st.just("id")
        return st.builds(Habits, st.just(kind), order, sizes)
    if kind in ("offset", "page") and cursor:
        order = st.just("id")  # see _upsets
    if kind == "offset":
        return st.builds(Habits, st.just(kind), order, sizes, total=st.booleans(), snaps=st.booleans())
    return st.builds(Habits, st.just(kind), order, sizes, total=st.booleans() if kind == "page" else st.just(False))


_CURSORS = {
    "none": ("", "time", "opaque"),
    "offset": ("", "time"),
    "page": ("", "time"),
    "link": ("", "time", "sorted", "opaque"),
    "next_url": ("", "time", "sorted", "opaque"),
    "token": ("", "time", "sorted", "opaque"),
    "keyset": ("", "time", "sorted"),
    "servicenow": ("", "time"),
}
_MODES = {
    "": ("upsert", "append", "replace", "mirror"),
    "time": ("upsert", "mirror"),
    "sorted": ("upsert", "mirror"),
    "opaque": ("upsert", "append", "mirror"),
}
KINDS = [(kind, cursor, mode) for kind in PAGING for cursor in _CURSORS[kind] for mode in _MODES[cursor]]


def several(one: st.SearchStrategy[T], most: int) -> st.SearchStrategy[tuple[T, ...]]:
    """Returns tuples whose length is any up to `most`, as often one as another: lists of hypothesis are short."""
    return st.integers(0, most).flatmap(lambda count: st.tuples(*[one] * count))


DEATH = st.sampled_from(sorted(DEATHS)).flatmap(
    lambda kind: st.builds(Death, st.just(kind), st.integers(0, DEATHS[kind]))
)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Generates cases: every kind of paging by every cursor by every mode that go together."""
    kind, cursor, mode = draw(st.sampled_from(KINDS))
    habits = draw(_habits(kind, cursor))
    style = "servicenow" if kind == "servicenow" else draw(st.sampled_from(["iso", "servicenow", "epoch"]))
    late = draw(st.sampled_from([0, 2])) if cursor in ("time", "sorted") else 0
    return Plan(
        habits,
        cursor,
        style,
        late,
        mode,
        draw(st.sampled_from(["mark", "delete"])) if mode == "mirror" else "mark",
        draw(st.booleans()),
        draw(st.sampled_from([0, 0, 0, 2])),
        draw(st.integers(1, 3)),
        draw(st.integers(0, 14)),
        draw(st.integers(1, 3)),
        draw(several(_upsets(kind, cursor, late, total=habits.total), 24)),
        draw(several(DEATH, 4)),
    )


def _upsets(kind: str, cursor: str, late: int, *, total: bool) -> st.SearchStrategy[Upset]:
    """Returns what may happen.

    Where pages are counted, and there is a cursor, records leave the list only where a total tells of it and none is
    added meanwhile: docs/paging.md warns of the rest.
    """
    kinds = [*CHANGES, *FAILURES]
    if kind in ("offset", "page") and cursor:
        banned = ("insert", "update", "sweep") if total else ("delete",)
        kinds = [one for one in kinds if one not in banned]
        late = 0 if total else late
    if late:
        kinds.append("late_insert")
    if not cursor:
        kinds.append("silent")
    return st.tuples(st.sampled_from([0, 0, 1, 2]), st.sampled_from(kinds), st.integers(0, SPREAD))
