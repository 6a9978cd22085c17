"""From an answer's bytes to records: JSON, one JSON document a line, CSV; and what is no answer at all."""

import csv
import io
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import orjson

from jobs.contract import Answer, BadAnswer, BadRecord, Json
from jobs.flow import Refused
from jobs.paths import getter, keys
from jobs.sources.oddjson import leniently

BodyFormat = Literal["json", "ndjson", "csv"]
ACCEPT: dict[BodyFormat, dict[str, str]] = {  # JSON is what an account's API asks for unless told otherwise
    "json": {},
    "ndjson": {"Accept": "application/x-ndjson"},
    "csv": {"Accept": "text/csv"},
}
csv.field_size_limit(sys.maxsize)  # an account's max_body bounds the whole
_BOM = b"\xef\xbb\xbf"
_REMEDY = "Check the source's records."
_NO_CONTENT = 204
_CHARSET = re.compile(r"charset\s*=\s*\"?([\w.:-]+)", re.IGNORECASE)


class Overburdened(BadAnswer):
    """An answer that broke off or tells of a failure: a smaller page may mend it."""


@dataclass(frozen=True)
class Decoded:
    """What an answer holds; `document` is None where records are all there is."""

    records: list[Json] = field(default_factory=list)
    document: Json = None
    rejects: list[Refused] = field(default_factory=list)
    is_lenient: bool = False  # records among them may hold what JSON cannot


@dataclass(frozen=True)
class Decoder:
    """How a source's answers are read."""

    format: BodyFormat = "json"
    records: str = ""
    single: bool = False
    failed: str = ""
    delimiter: str = ","
    error_pages: Mapping[str, str] = field(default_factory=dict)

    def decoded(self, answer: Answer, place: str) -> Decoded:
        """Returns the records; raises BadAnswer that says what was found in place of them."""
        answer = replace(answer, body=answer.body.removeprefix(_BOM)) if answer.body.startswith(_BOM) else answer
        if answer.status == _NO_CONTENT or not answer.body.strip():
            return Decoded()
        self.look_through(answer.body, answer.headers.get("content-type", ""), place)
        if self.format == "csv":
            return _csv(answer, self.delimiter, place)
        if self.format == "ndjson":
            return _lines(answer, place)
        return self._document(answer, place)

    def look_through(self, body: bytes, content_type: str, place: str) -> None:
        """Raises BadAnswer for a page whose marker was configured; JSON is not looked through."""
        if body.lstrip()[:1] in (b"{", b"[") or "json" in content_type:
            return
        for marker, meaning in self.error_pages.items():
            if marker.encode() in body:
                raise BadAnswer(f"{place}: {meaning}.")

    def _document(self, answer: Answer, place: str) -> Decoded:
        try:
            return self._taken(orjson.loads(answer.body), place)
        except orjson.JSONDecodeError:
            if answer.body.lstrip()[:1] not in (b"{", b"["):
                return Decoded([answer.json()])  # raises: it tells what was found
        try:
            document = leniently(answer.body, place)
        except ValueError:
            raise Overburdened(
                f"{place} answered {answer.status} with JSON that is cut off or broken after {len(answer.body)} bytes; "
                "ask for smaller pages."
            ) from None  # the decoder's error holds the whole body
        return replace(self._taken(document, place), is_lenient=True)

    def _taken(self, document: Json, place: str) -> Decoded:
        self._check(document, place)
        return Decoded(_single(document, self.records, place) if self.single else self._list(document, place), document)

    def _check(self, document: Json, place: str) -> None:
        """Raises where a document of a good status tells of a failure."""
        found = getter(self.failed)(document) if self.failed else None
        if found is not None:
            text = found if isinstance(found, str) else orjson.dumps(found).decode()
            raise Overburdened(f"{place} answered that it failed ({self.failed}: {text:.300}); try it later.")

    def _list(self, document: Json, place: str) -> list[Json]:
        return records_at(document, self.records, place)


def records_at(document: Json, path: str, place: str) -> list[Json]:
    """Returns the list at a path, empty where it is null; raises BadAnswer that says what is there."""
    found = _at(document, path, place)
    if found is None and path:
        return []
    if not isinstance(found, list):
        at = f"at {path!r}" if path else "as its body"
        raise BadAnswer(f"{place} has {described(found)} {at}; expected a list of records. {_REMEDY}")
    return found


def _single(document: Json, path: str, place: str) -> list[Json]:
    """Returns the one record at a path, nothing where it is null; raises BadAnswer that says what is there."""
    found = _at(document, path, place)
    if found is None:
        return []
    if not isinstance(found, dict):
        at = f"at {path!r}" if path else "as its body"
        raise BadAnswer(f"{place} has {described(found)} {at}; expected one object. Set single = false for a list.")
    return [found]


def _at(document: Json, path: str, place: str) -> Json:
    if not path:
        return document
    return _descended(document, path, place) if keys(path) else _searched(document, path, place)


def _descended(document: Json, path: str, place: str) -> Json:
    found = document
    for step in keys(path):
        if not isinstance(found, dict) or step not in found:
            raise BadAnswer(f"{place} has nothing at {path!r}: no {step} in {described(found)}. {_REMEDY}")
        found = found[step]
    return found


def _searched(document: Json, path: str, place: str) -> Json:
    try:
        found = getter(path)(document)
    except BadRecord as error:
        raise BadAnswer(f"{place}: {error}. {_REMEDY}") from None
    if found is None:
        raise BadAnswer(f"{place} has nothing at {path!r} in {described(document)}. {_REMEDY}")
    return found


def described(found: Json) -> str:
    """Returns what a document is, by its kind and the names of its keys."""
    if not isinstance(found, dict):
        return "null" if found is None else f"a {type(found).__name__}"
    names = [f"{name:.40}" for name in list(found)[:12]]
    return f"an object with the keys {', '.join(names)}" if names else "an empty object"


def _lines(answer: Answer, place: str) -> Decoded:
    """Returns the documents of NDJSON; raises BadAnswer that names the line, Overburdened where the last breaks off."""
    lines = [line for line in answer.body.split(b"\n") if line.strip()]
    if lines[0].lstrip()[:1] == b"<":
        answer.json()  # raises: it tells what was found
    try:
        return Decoded(list(map(orjson.loads, lines)))
    except orjson.JSONDecodeError:
        return Decoded(_lenient_lines(lines, place), is_lenient=True)


def _lenient_lines(lines: list[bytes], place: str) -> list[Json]:
    records: list[Json] = []
    for number, line in enumerate(lines, 1):
        try:
            records.append(leniently(line, f"{place}, line {number},"))
        except ValueError:
            kind = Overburdened if number == len(lines) > 1 else BadAnswer
            raise kind(
                f"{place} has no JSON in its line {number} of {len(lines)}; expected one document a line. "
                'Check the source\'s format = "ndjson".'
            ) from None
    return records


def _csv(answer: Answer, delimiter: str, place: str) -> Decoded:
    """Returns the rows of CSV (RFC 4180) by their header's names; all values are text."""
    if answer.body.lstrip()[:1] == b"<":
        answer.json()  # raises: it tells what was found
    text, decoded = _text(answer, place), Decoded()
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        names = _header(next(filter(None, rows), []), place)
        for row in rows:
            if len(row) == len(names):
                decoded.records.append(dict(zip(names, row, strict=True)))
            elif row:
                reason = f"line {rows.line_num} holds {len(row)} values, the header {len(names)} names"
                decoded.rejects.append((row, reason))
    except csv.Error as error:
        raise BadAnswer(f"{place} holds no CSV at line {rows.line_num}: {error}. Check format and delimiter.") from None
    return decoded


def _text(answer: Answer, place: str) -> str:
    named = _CHARSET.search(answer.headers.get("content-type", ""))
    charset = named[1] if named else "utf-8"
    try:
        return answer.body.decode(charset).removeprefix("\ufeff")
    except (LookupError, UnicodeDecodeError):
        raise BadAnswer(f"{place} holds bytes that are no text in {charset:.40}; expected CSV in UTF-8.") from None


def _header(names: list[str], place: str) -> list[str]:
    if not all(name.strip() for name in names) or len(set(names)) < len(names):
        raise BadAnswer(
            f"{place} begins with the line {','.join(names)[:120]!r}; expected a header row, in which each column "
            "has a name of its own. Check format and delimiter."
        )
    return names
