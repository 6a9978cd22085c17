"""Records from a REST API, page by page."""

from collections.abc import Generator
from typing import Literal

from pydantic import Field, field_validator

from jobs.contract import AccountRef, Answer, Api, BadAnswer, BadRecord, Context, Json
from jobs.flow import Page
from jobs.options import Options
from jobs.paths import OptionalPath, getter, keys
from jobs.sources.cursor import CursorOptions, Watermark
from jobs.sources.paging import Ask, NoPaging, Paging, Seen, Walk

_NO_CONTENT = 204
_REMEDY = "Check the source's records."


class RestOptions(Options):
    """Where at an API records are, and how to walk through them."""

    account: AccountRef
    path: str = Field(min_length=1, description="Below the account's base_url; parameters stand in params.")
    method: Literal["GET"] = "GET"
    params: dict[str, str] = Field(
        default_factory=dict,
        description="Sent with each request; the cursor's and the paging's own come on top.",
    )
    headers: dict[str, str] = Field(default_factory=dict)
    act_for: dict[str, str] = Field(
        default_factory=dict, description="On whose behalf it reads, over what the account says."
    )
    records: OptionalPath = Field(
        default="", description="JMESPath to the list of records; empty: the body is the list."
    )
    paging: Paging = NoPaging()
    cursor: CursorOptions | None = Field(default=None, description="Absent: each run reads everything.")

    @field_validator("path")
    @classmethod
    def _has_no_query(cls, path: str) -> str:
        if "?" in path or "#" in path:
            raise ValueError(f"expected a path such as /v2/orders, found {path!r}; parameters stand in params")
        return path


class RestSource:
    """Walks through the pages of one resource; knows nothing of where the records go."""

    def __init__(self, options: RestOptions) -> None:
        self._options = options

    def pages(self, context: Context) -> Generator[Page]:
        """Yields pages until there are no more; raises BadAnswer where the answers make no sense."""
        api, walk = context.api(self._options.account), Walk()
        mark = Watermark.of(self._options.cursor, context) if self._options.cursor else None
        ask: Ask | None = self._options.paging.start()
        while ask is not None:
            context.check()
            answer = self._request(api, ask, mark)
            document = None if answer.status == _NO_CONTENT else answer.json()
            records = [] if answer.status == _NO_CONTENT else records_at(document, self._options.records, answer.place)
            seen = Seen(ask, answer.url, answer.headers, document, len(records))
            walk.check(seen, records)
            ask = self._options.paging.after(seen)
            yield self._page(records, seen, mark, last=ask is None)

    def _request(self, api: Api, ask: Ask, mark: Watermark | None) -> Answer:
        options = self._options
        if ask.url:
            return api.request("GET", ask.url, headers=options.headers, act_for=options.act_for)
        params = options.params | (mark.params() if mark else {}) | dict(ask.params)
        return api.request("GET", options.path, params=params, headers=options.headers, act_for=options.act_for)

    def _page(self, records: list[Json], seen: Seen, mark: Watermark | None, *, last: bool) -> Page:
        objects, rejects = _parted(records)
        cursor = None
        if mark and self._options.cursor:
            objects, unread = mark.take(objects, seen.url)
            rejects += unread
            cursor = mark.value() if last or self._options.cursor.sorted else None
        return Page(objects, cursor, self._options.paging.total_of(seen), rejects)


def records_at(document: Json, path: str, place: str) -> list[Json]:
    """Returns the list at a path, empty where it is null; raises BadAnswer that says what is there."""
    found = document
    if path:
        found = _descended(document, path, place) if keys(path) else _searched(document, path, place)
        if found is None:
            return []
    if not isinstance(found, list):
        at = f"at {path!r}" if path else "as its body"
        raise BadAnswer(f"{place} has {_described(found)} {at}; expected a list of records. {_REMEDY}")
    return found


def _descended(document: Json, path: str, place: str) -> Json:
    found = document
    for step in keys(path):
        if not isinstance(found, dict) or step not in found:
            raise BadAnswer(f"{place} has nothing at {path!r}: no {step} in {_described(found)}. {_REMEDY}")
        found = found[step]
    return found


def _searched(document: Json, path: str, place: str) -> Json:
    try:
        found = getter(path)(document)
    except BadRecord as error:
        raise BadAnswer(f"{place}: {error}. {_REMEDY}") from None
    if found is None:
        raise BadAnswer(f"{place} has nothing at {path!r} in {_described(document)}. {_REMEDY}")
    return found


def _described(found: Json) -> str:
    if not isinstance(found, dict):
        return "null" if found is None else f"a {type(found).__name__}"
    names = [f"{name:.40}" for name in list(found)[:12]]
    return f"an object with the keys {', '.join(names)}" if names else "an empty object"


def _parted(records: list[Json]) -> tuple[list[Json], list[tuple[Json, str]]]:
    """Returns the objects, and apart from them what is none."""
    if set(map(type, records)) <= {dict}:
        return records, []
    objects = [record for record in records if isinstance(record, dict)]
    others = [record for record in records if not isinstance(record, dict)]
    return objects, [(other, f"expected an object, found {_described(other)}") for other in others]
