"""Encoded queries of the Table API: `^`, `^OR`, `^NQ`, ORDERBY, and the operators a sync job meets."""

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from worker.sandbox.table import Row, Table

Test = Callable[[str, str], bool]


def _ordered(compare: Callable[[float], bool], text: Callable[[str, str], bool]) -> Test:
    """Compares as numbers where both sides are, else as text; times are text that sorts."""

    def test(found: str, wanted: str) -> bool:
        try:
            return compare(float(found) - float(wanted))
        except ValueError:
            return text(found, wanted)

    return test


OPERATORS: dict[str, Test] = {
    "!=": lambda found, wanted: found != wanted,
    ">=": _ordered(lambda gap: gap >= 0, lambda found, wanted: found >= wanted),
    "<=": _ordered(lambda gap: gap <= 0, lambda found, wanted: found <= wanted),
    "=": lambda found, wanted: found == wanted,
    ">": _ordered(lambda gap: gap > 0, lambda found, wanted: found > wanted),
    "<": _ordered(lambda gap: gap < 0, lambda found, wanted: found < wanted),
    "STARTSWITH": lambda found, wanted: found.startswith(wanted),
    "ISNOTEMPTY": lambda found, _: found != "",
    "ISEMPTY": lambda found, _: found == "",
    "LIKE": lambda found, wanted: wanted in found,
    "IN": lambda found, wanted: found in wanted.split(","),
}
_CONDITION = re.compile(rf"([a-z_][a-z0-9_.]*)({'|'.join(map(re.escape, OPERATORS))})(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison of a field with a value."""

    name: str
    operator: str
    value: str

    def holds(self, row: Row) -> bool:
        """Tells whether the row satisfies it."""
        return OPERATORS[self.operator](str(row.get(self.name, "")), self.value)


Group = list[list[Condition]]  # all of these, of each at least one


@dataclass(slots=True)
class Query:
    """A parsed query: a row matches when one of the groups does; no group at all matches every row."""

    groups: list[Group] = field(default_factory=list)
    order: list[tuple[str, bool]] = field(default_factory=list)  # field, descending

    def matches(self, row: Row) -> bool:
        """Tells whether the row is wanted."""
        return any(all(any(one.holds(row) for one in either) for either in group) for group in self.groups)


def parse(text: str, columns: Collection[str]) -> Query:
    """Returns the query; a condition on an unknown field is dropped in silence and the rest runs, as at ServiceNow."""
    query = Query()
    for part in text.split("^NQ"):
        group: Group = []
        for term in part.split("^") if part else ():
            _term(term, group, query, columns)
        query.groups.append(group)
    return query


def _term(term: str, group: Group, query: Query, columns: Collection[str]) -> None:
    for word, descending in (("ORDERBYDESC", True), ("ORDERBY", False)):
        if term.startswith(word):
            if term.removeprefix(word) in columns:
                query.order.append((term.removeprefix(word), descending))
            return
    either = term.startswith("OR")
    parsed = _CONDITION.fullmatch(term.removeprefix("OR"))
    if parsed is None or parsed[1] not in columns:
        return
    condition = Condition(parsed[1], parsed[2], parsed[3])
    if either and group:
        group[-1].append(condition)
    else:
        group.append([condition])


def select(table: Table, query: Query) -> list[str]:
    """Returns the keys of the rows that match, in the order asked for; without one, in that of keys."""
    by_stamp = query.order[:1] == [(table.stamp, False)] and query.order[1:] in ([], [(table.key, False)])
    if by_stamp:
        changed = table.changed()
        first = _first(table, query)
        return [key for _, key in changed[first:] if query.matches(table.get(key) or {})]
    found = [key for key in table.keys() if query.matches(table.get(key) or {})]
    for name, descending in reversed(query.order):
        found.sort(key=_sort_key(table, name), reverse=descending)
    return found


def _sort_key(table: Table, name: str) -> Callable[[str], tuple[bool, float, str]]:
    def key_of(key: str) -> tuple[bool, float, str]:
        text = str((table.get(key) or {}).get(name, ""))
        return (False, float(text), "") if text.isdecimal() and len(text) < 16 else (True, 0.0, text)  # noqa: PLR2004

    return key_of


def _first(table: Table, query: Query) -> int:
    """Returns a place before which no row can match: the least lower bound that all groups set on the stamp."""
    bounds = [max(_lower(table, group), default="") for group in query.groups]
    return table.start_of(min(bounds, default=""))


def _lower(table: Table, group: Group) -> Iterator[str]:
    for either in group:
        if len(either) == 1 and either[0].name == table.stamp and either[0].operator in ("=", ">", ">="):
            yield either[0].value
