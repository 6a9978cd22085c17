"""Paging of ServiceNow's Table API: keyset on (time of change, sys_id), over pages that access rules have emptied.

The limit is applied before the access rules (Table API reference, `sysparm_limit`): a short or empty page is not the
end, and X-Total-Count counts what is hidden too. A page whose rows are all hidden names no key to go on from. Then the
same query is asked by offset, counted, until a row shows or the total is passed. The upper bound of the query is the
start of the run, so that whatever changes while it is read leaves the window, and the total tells: where it differs
from one step to the next, offsets may have shifted, and the stepping starts anew. What it cannot see is a row that
leaves while another one is put in with a time in the past: look-back and full loads are for those.

The count costs the server a second query. It is asked for on the first page, which often is the only one, behind a
page that was not full, and while stepping.
"""

import re
from typing import Literal, NamedTuple

from pydantic import Field, field_validator

from jobs.contract import BadAnswer, Json
from jobs.sources.keyset import value_of
from jobs.sources.steps import Ask, Position, Seen, Sized, Span, stored_total

QUERY = "sysparm_query"
OWN = frozenset({QUERY, "sysparm_limit", "sysparm_offset", "sysparm_no_count", "sysparm_suppress_pagination_header"})
_FRESH_STARTS = 100  # of one stepping, before the table is taken for one that cannot be read
_NEW_GROUP = re.compile(r"(?<!\^)\^NQ")
_TIME = "%Y-%m-%d %H:%M:%S"  # in UTC, to the second


class Spot(NamedTuple):
    """Behind which row a page begins, and how many rows behind that; `total` is what the step before counted."""

    stamp: str = ""
    key: str = ""
    offset: int = 0
    counted: bool = True
    total: int = -1
    anew: int = 0  # how often the stepping started again


class ServiceNowPaging(Sized):
    """Walks through a table of ServiceNow; the cursor's field, where there is one, leads and is bounded by the run."""

    kind: Literal["servicenow"]
    size: int = Field(default=1000, ge=1, le=100_000, description="Rows per page.")
    key: str = Field(default="sys_id", min_length=1, description="The row's key.")
    filter: str = Field(default="", description="An encoded query of one's own that all rows have to match.")
    created: str = Field(
        default="sys_created_on",
        description="Without a cursor: the row's time of creation, bounded by the run; empty: not bounded.",
    )

    @field_validator("filter")
    @classmethod
    def _has_no_order(cls, text: str) -> str:
        text = text.strip().removesuffix("^EQ").strip("^")  # as ServiceNow's lists copy it
        if "ORDERBY" in text:
            raise ValueError(f"expected a query without ORDERBY, found {text!r}; the walk sorts by time and key itself")
        return text

    def start(self) -> Position:
        """Returns the position before the first row."""
        return Spot()

    def ask(self, at: Position, size: int, span: Span) -> Ask:
        """Returns the request for the rows behind this one."""
        params: dict[str, Json] = {
            QUERY: self._query(at, span),
            "sysparm_limit": size,
            "sysparm_suppress_pagination_header": "true",
        }
        if at.offset:
            params["sysparm_offset"] = at.offset
        if not at.counted:
            params["sysparm_no_count"] = "true"
        return Ask(params)

    def after(self, seen: Seen) -> Position | None:
        """Returns where the walk goes on; raises BadAnswer where rows lack their key, or the count is not told."""
        at: Spot = seen.at
        total = stored_total(seen) if at.counted else None
        if self._has_moved(seen):
            return self._anew(seen, at, total or 0)
        rows = self.taken(seen)
        if rows:
            return None if len(rows) == total and len(rows) < seen.size else self._behind(seen, rows[-1])
        if not at.counted:
            return at._replace(counted=True)
        if total is None:
            raise BadAnswer(
                f"{seen.place} gave no row and no X-Total-Count, though that was asked for: rows that access rules "
                "hide cannot be told from the end. Let that header through, or choose another kind of paging."
            )
        offset = at.offset + seen.size
        return at._replace(offset=offset, total=total) if offset < total else None

    def taken(self, seen: Seen) -> list[Json]:
        """Returns the rows that may be read; none where the table changed between two steps."""
        if self._has_moved(seen):
            return []
        return seen.records if all(seen.records) else [row for row in seen.records if row]

    def blank(self, seen: Seen) -> int:
        """Returns how many rows came as `{}`, each once: those behind the last readable one come again."""
        if self._has_moved(seen) or all(seen.records):
            return 0
        filled = [place for place, row in enumerate(seen.records) if row]
        if not filled:
            return seen.count if seen.at.counted else 0
        return filled[-1] + 1 - len(filled)

    def total_of(self, seen: Seen) -> int | None:
        """Returns the number of rows, hidden ones among them, as the first page tells it."""
        return stored_total(seen) if seen.at == Spot() else None

    def told(self, at: Position) -> str:
        """Returns a position in words."""
        behind = f"what comes after {at.stamp} {at.key}".replace("  ", " ") if at.key else "the first page"
        return f"{behind}, offset {at.offset}" if at.offset else behind

    def _has_moved(self, seen: Seen) -> bool:
        """Tells whether a step counted another total than the one before it."""
        return bool(seen.at.offset) and stored_total(seen) not in (None, seen.at.total)

    def _anew(self, seen: Seen, at: Spot, total: int) -> Spot:
        if at.anew == _FRESH_STARTS:
            raise BadAnswer(
                f"{seen.place} counted {total} rows, the step before {at.total}, and so {_FRESH_STARTS} times: the "
                "table changes too fast to step over rows that access rules hide. Let the account see them, or leave "
                "them out by paging.filter."
            )
        return at._replace(offset=0, total=total, anew=at.anew + 1)

    def _behind(self, seen: Seen, row: Json) -> Spot:
        stamp = str(value_of(seen, row, seen.span.field)) if seen.span.field else ""
        return Spot(stamp, str(value_of(seen, row, self.key)), counted=seen.count < seen.size)

    def _query(self, at: Spot, span: Span) -> str:
        """Returns the encoded query; each group between ^NQ holds every condition."""
        own = [part.strip("^") for part in _NEW_GROUP.split(self.filter)]
        groups = [[*group, part] if part else group for group in self._groups(at, span) for part in own]
        order = [f"ORDERBY{_name(field)}" for field in (span.field, self.key) if field]
        return "^".join(["^NQ".join("^".join(group) for group in groups if group), *order]).lstrip("^")

    def _groups(self, at: Spot, span: Span) -> list[list[str]]:
        window, field, key = self._window(span), _name(span.field), _name(self.key)
        if not at.key:
            return [window]
        if not field:
            return [[*window, f"{key}>{_escaped(at.key)}"]]
        stamp = _escaped(at.stamp)
        return [[*window, f"{field}>{stamp}"], [*window, f"{field}={stamp}", f"{key}>{_escaped(at.key)}"]]

    def _window(self, span: Span) -> list[str]:
        until = span.until.strftime(_TIME)
        if not span.field:
            return [f"{self.created}<={until}"] if self.created else []
        since = [f"{_name(span.field)}>={span.since.strftime(_TIME)}"] if span.since else []
        return [*since, f"{_name(span.field)}<={until}"]


def _name(path: str) -> str:
    """Returns a field's name in a query; with sysparm_display_value=all its value stands one step deeper."""
    return path.removesuffix(".value")


def _escaped(value: str) -> str:
    return value.replace("^", "^^")
