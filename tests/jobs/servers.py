"""Small far ends for tests: a function from request to answer, one for each kind of paging."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import eq, ge, gt, le
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from jobs.contract import Answer, Json
from jobs.testing import BASE_URL, Request, answer

Script = Callable[[Request], Answer]


def records(count: int) -> list[dict[str, Any]]:
    """Returns records that differ in each field."""
    return [{"id": number, "name": f"n{number}", "size": number / 2} for number in range(count)]


def asked(request: Request) -> dict[str, str]:
    """Returns a request's parameters, wherever they stand."""
    return dict(parse_qsl(urlsplit(request.path).query)) | dict(request.params)


@dataclass
class Offsets:
    """Pages by offset; `cap` is the most it gives, `snaps` moves an offset to its page."""

    rows: list[dict[str, Any]]
    cap: int = 10_000
    snaps: bool = False
    total: bool = True
    served: list[int] = field(default_factory=list)

    def __call__(self, request: Request) -> Answer:
        """Answers with a page."""
        limit = min(int(request.params["limit"]), self.cap)
        offset = int(request.params["offset"])
        offset -= offset % limit if self.snaps else 0
        self.served.append(offset)
        meta = {"totalCount": len(self.rows)} if self.total else {}
        return answer({"_meta": meta, "items": self.rows[offset : offset + limit]})


@dataclass
class Numbers:
    """Numbered pages."""

    rows: list[dict[str, Any]]
    first: int = 1
    pages: bool = False

    def __call__(self, request: Request) -> Answer:
        """Answers with a page."""
        size = int(request.params["per_page"])
        start = (int(request.params["page"]) - self.first) * size
        found: Json = self.rows[start : start + size]
        return answer({"items": found} | ({"pages": -(-len(self.rows) // size)} if self.pages else {}))


@dataclass
class Links:
    """Pages by links, in a header or in the body; `gaps` are pages that come empty."""

    rows: list[dict[str, Any]]
    size: int
    in_body: bool = False
    gaps: frozenset[int] = frozenset()
    base: str = f"{BASE_URL}/items"

    def __call__(self, request: Request) -> Answer:
        """Answers with a page."""
        number = int(asked(request).get("at", "0"))
        start = number * self.size
        found = [] if number in self.gaps else self.rows[start : start + self.size]
        link = f"{self.base}?at={number + 1}" if start + self.size < len(self.rows) else ""
        header = {"link": f'<{BASE_URL}/items?at=0>; rel="first", <{link}>;rel="next"'} if link else {}
        return answer(
            {"items": found, "next": link or None},
            headers={} if self.in_body else {"x-total-count": str(len(self.rows))} | header,
        )


_CONDITION = re.compile(r"(\w+)(>=|<=|>|=)(.*)")
_TESTS: dict[str, Callable[[str, str], bool]] = {">=": ge, "<=": le, ">": gt, "=": eq}


@dataclass
class TableApi:
    """ServiceNow's Table API in small: encoded queries, the limit before the access rules, the count of all rows.

    `before` is called with the number of the request before it is answered. A row with `hidden` is not shown; one with
    `blank` comes as `{}`.
    """

    rows: dict[str, dict[str, Any]]
    before: Callable[[int], None] = lambda _: None
    asked: list[Mapping[str, str]] = field(default_factory=list)

    def __call__(self, request: Request) -> Answer:
        """Answers with a page."""
        self.before(len(self.asked))
        params = asked(request)
        self.asked.append(params)
        found = self._found(params["sysparm_query"])
        offset = int(params.get("sysparm_offset", "0"))
        page = found[offset : offset + int(params["sysparm_limit"])]
        shown = [{} if row.get("blank") else _open(row) for row in page if not row.get("hidden")]
        counted = params.get("sysparm_no_count") != "true"
        return answer({"result": shown}, headers={"x-total-count": str(len(found))} if counted else {})

    def _found(self, query: str) -> list[dict[str, Any]]:
        terms = query.split("^")
        order = [term.removeprefix("ORDERBY") for term in terms if term.startswith("ORDERBY")]
        groups = [[]] if terms[0].startswith("ORDERBY") else self._groups(query.partition("^ORDERBY")[0])
        found = [row for row in self.rows.values() if any(all(test(row) for test in group) for group in groups)]
        return sorted(found, key=lambda row: [row[name] for name in order])

    def _groups(self, query: str) -> list[list[Callable[[dict[str, Any]], bool]]]:
        return [[_test(term) for term in group.split("^") if term] for group in query.split("^NQ")]


def _test(term: str) -> Callable[[dict[str, Any]], bool]:
    matched = _CONDITION.fullmatch(term)
    assert matched, f"cannot read the condition {term!r}"
    name, operator, wanted = matched.groups()
    return lambda row: _TESTS[operator](row[name], wanted)


def _open(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("hidden", "blank")}
