"""Small far ends for tests: a function from request to answer, one for each kind of paging."""

from collections.abc import Callable
from dataclasses import dataclass, field
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
