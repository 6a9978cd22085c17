"""Encoded queries of the Table API: `^`, `^OR`, `^NQ`, ORDERBY, and the operators a sync job meets."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from random import Random

from worker.sandbox.table import Row, Stretch, Table

Test = Callable[[str, str], bool]


def _ordered(numbers: Callable[[float], bool], texts: Test) -> Test:
    """Compares as numbers where both sides are, else as text; times are text that sorts."""

    def test(found: str, wanted: str) -> bool:
        try:
            return numbers(float(found) - float(wanted))
        except ValueError:
            return texts(found, wanted)

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
_RANGES = frozenset({"=", ">", ">=", "<", "<="})


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
    """A parsed query: a row matches when one of the groups does; an empty group matches every row."""

    groups: list[Group] = field(default_factory=list)
    order: list[tuple[str, bool]] = field(default_factory=list)  # field, descending
    invalid: bool = False  # a condition was dropped

    def matches(self, row: Row) -> bool:
        """Tells whether the row is wanted."""
        return any(all(any(one.holds(row) for one in either) for either in group) for group in self.groups)


def parse(text: str, columns: Collection[str]) -> Query:
    """Returns the query; as at ServiceNow, a condition on an unknown field is silently dropped."""
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
    parsed = _CONDITION.fullmatch(term.removeprefix("OR"))
    if parsed is None or parsed[1] not in columns:
        query.invalid = query.invalid or bool(term)
        return
    condition = Condition(parsed[1], parsed[2], parsed[3])
    if term.startswith("OR") and group:
        group[-1].append(condition)
    else:
        group.append([condition])


def select(table: Table, query: Query) -> Sequence[str]:
    """Returns the keys of the rows that match, in the order asked for; without one, in that of keys."""
    if query.order[:1] == [(table.stamp, False)] and query.order[1:] in ([], [(table.key, False)]):
        return _by_stamp(table, query)
    if query.order in ([], [(table.key, False)]) and (span := _key_span(table, query)) is not None:
        return Stretch(table, *span, by_key=True)
    found = [key for key in table.keys() if query.matches(table.get(key) or {})]  # noqa: SIM118 - no mapping
    for name, descending in reversed(query.order):
        found.sort(key=partial(_rank, table, name), reverse=descending)
    return found


def _key_span(table: Table, query: Query) -> tuple[int, int] | None:
    """Returns the stretch, in order of key, that conditions on the key alone match; None where it takes a scan."""
    if len(query.groups) != 1:
        return None
    first, last = 0, len(table)
    for either in query.groups[0]:
        one = either[0]
        if len(either) != 1 or one.name != table.key or one.operator not in _RANGES:
            return None
        low, high = bisect_left(table.keys(), one.value), bisect_right(table.keys(), one.value)
        first, last = _cut(one.operator, (low, high), (first, last))
    return first, max(first, last)


def shuffled(table: Table, query: Query, keys: Sequence[str], seed: str) -> Sequence[str]:
    """Returns the keys with those that the order asked for leaves equal in an order that the seed decides."""
    if any(name == table.key for name, _ in query.order):
        return keys
    mixed = list(keys)
    Random(seed).shuffle(mixed)  # noqa: S311 - the same for the same seed is the point
    for name, descending in reversed(query.order):
        mixed.sort(key=partial(_rank, table, name), reverse=descending)
    return mixed


def _rank(table: Table, name: str, key: str) -> tuple[bool, int, str]:
    text = str((table.get(key) or {}).get(name, ""))
    return (False, int(text), "") if text.isdecimal() else (True, 0, text)


def _by_stamp(table: Table, query: Query) -> Sequence[str]:
    """Returns the matching keys in order of change; the keyset walk of a sync job costs no scan."""
    changed = table.changed()
    spans = [_span(table, group) for group in query.groups]
    if any(span is None for span in spans):
        return [key for _, key in changed if query.matches(table.get(key) or {})]
    wanted = sorted(span for span in spans if span is not None and span[0] < span[1])
    if all(after[0] <= before[1] for before, after in pairwise(wanted)):
        first, last = (wanted[0][0], max(last for _, last in wanted)) if wanted else (0, 0)
        return Stretch(table, first, last)
    found, end = list[str](), 0
    for first, last in wanted:
        found.extend(key for _, key in changed[max(first, end) : last])
        end = max(end, last)
    return found


def _span(table: Table, group: Group) -> tuple[int, int] | None:
    """Returns the stretch, in order of change, that a group matches; None where that takes a scan."""
    tests = [either[0] for either in group if len(either) == 1 and either[0].operator in _RANGES]
    if len(tests) != len(group):
        return None
    stamps = [one for one in tests if one.name == table.stamp]
    keys = [one for one in tests if one.name == table.key]
    exact = next((one.value for one in stamps if one.operator == "="), None)
    if len(stamps) + len(keys) != len(tests) or (keys and exact is None):
        return None
    first, last = 0, len(table)
    for one in stamps:
        first, last = _narrowed(table, one, "", first, last)
    for one in keys:
        first, last = _narrowed(table, one, exact or "", first, last)
    return first, max(first, last)


def _narrowed(table: Table, one: Condition, stamp: str, first: int, last: int) -> tuple[int, int]:
    """Returns the stretch cut down by a condition on the stamp, or on the key among rows of one stamp."""
    changed = table.changed()
    if one.name == table.stamp:
        low, high = bisect_left(changed, (one.value, "")), bisect_left(changed, (one.value + "\0", ""))
    else:
        low, high = bisect_left(changed, (stamp, one.value)), bisect_right(changed, (stamp, one.value))
    return _cut(one.operator, (low, high), (first, last))


def _cut(operator: str, equal: tuple[int, int], stretch: tuple[int, int]) -> tuple[int, int]:
    """Returns the stretch without what lies on the wrong side of the rows that are equal to the value."""
    (low, high), (first, last) = equal, stretch
    if operator in ("=", ">="):
        first = max(first, low)
    if operator == ">":
        first = max(first, high)
    if operator in ("=", "<="):
        last = min(last, high)
    if operator == "<":
        last = min(last, low)
    return first, last
