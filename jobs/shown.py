"""What a preview shows of a job: rows that would be stored, requests that would be sent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode


@dataclass(frozen=True)
class ShownColumn:
    """A column that would be written: what it holds, and whether it would be made."""

    name: str
    type: str
    is_new: bool = False


@dataclass(frozen=True)
class ShownRequest:
    """A request that would be sent, without the headers that say who calls."""

    method: str
    url: str
    body: Any = None  # JSON
    headers: Mapping[str, str] = field(default_factory=dict)


def url_of(base_url: str, path: str, params: Mapping[str, str]) -> str:
    """Returns where a request would go; `path` is relative to the base URL, or a URL."""
    url = path if "://" in path else f"{base_url}/{path.lstrip('/')}"
    return f"{url}{'&' if '?' in url else '?'}{urlencode(params)}" if params else url


@dataclass(frozen=True)
class Shown:
    """What a job would do; counts and rejects are gathered by its context, as those of a run are.

    `target` says where rows or requests would go, `rows` hold values as they would be stored, by column.
    """

    target: str = ""
    columns: tuple[ShownColumn, ...] = ()
    rows: tuple[Mapping[str, Any], ...] = ()
    requests: tuple[ShownRequest, ...] = ()
    notes: tuple[str, ...] = ()
