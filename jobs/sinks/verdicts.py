"""What an answer says of the rows that were sent with it; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import orjson

from jobs.contract import Answer, BadAnswer, BadRecord, FailedAnswer, Json
from jobs.paths import getter
from jobs.sinks.parcels import Item, Parcel
from jobs.sinks.restoptions import RestDestinationOptions

_LONGEST = 300  # characters of the API's own words
GONE = (404, 410)
_CONFLICT = 409


@dataclass(frozen=True)
class Verdict:
    """What became of one row; the reason of what was not delivered, and what the API calls the row.

    `absent` is a row that is surely not there: never sent after all, or taken away.
    """

    state: Literal["delivered", "refused", "in_doubt", "absent"]
    reason: str = ""
    remote_id: str | None = None


Verdicts = dict[str, Verdict]
"""By the keys of items; what is missing is not told."""


def of_answer(answer: Answer, parcel: Parcel, options: RestDestinationOptions) -> Verdicts:
    """Returns what an answer with a status below 400 says of each item; raises BadAnswer where it cannot be read."""
    act = parcel.items[0].act
    if act == "delete":
        return {parcel.items[0].key: Verdict("absent")}
    of_item = bool(options.items or options.poll)  # then the paths lead into items, and an update has none
    if not _is_read(options) or not answer.body.strip() or (of_item and act == "update"):
        return {item.key: Verdict("delivered") for item in parcel.items}
    document = answer.json()
    if options.items:
        return of_items(document, parcel.items, (options.items, options.item_key), options, answer.place)
    verdict = _judged(document, options, answer.place)
    return {item.key: verdict for item in parcel.items}


def _is_read(options: RestDestinationOptions) -> bool:
    return any((options.success, options.failed, options.id, options.items))


def is_silent(answer: Answer, parcel: Parcel, options: RestDestinationOptions) -> bool:
    """Tells whether an answer that should tell of new rows has no body."""
    return parcel.items[0].act == "create" and _is_read(options) and not answer.body.strip()


def of_items(
    document: Json, items: Sequence[Item], paths: tuple[str, str], options: RestDestinationOptions, place: str
) -> Verdicts:
    """Returns what the list at the first path says of each item, matched by the key at the second, else by order.

    Without a first path the whole answer tells of all. Raises BadAnswer where there is no list, or one of another
    length in which order tells nothing.
    """
    if not paths[0]:
        whole = _judged(document, options, place)
        return {item.key: whole for item in items}
    found = read(paths[0], document, place)
    if not isinstance(found, list):
        raise BadAnswer(f"{place} has no list at {paths[0]!r}; expected what became of each row. Correct `items`.")
    if not paths[1]:
        if len(found) != len(items):
            raise BadAnswer(
                f"{place} tells of {len(found)} rows at {paths[0]!r}, {len(items)} were sent; "
                "name the key in an item with `item_key`."
            )
        return {item.key: _judged(part, options, place) for item, part in zip(items, found, strict=True)}
    by_key = {_texts(read(paths[1], part, place)): part for part in found}
    keys = [(item, _texts([item.row.get(column) for column in options.key])) for item in items]
    return {item.key: _judged(by_key[key], options, place) for item, key in keys if key in by_key}


def _texts(found: Json) -> tuple[str, ...]:
    parts = found if isinstance(found, list) else [found]
    return tuple(part if isinstance(part, str) else orjson.dumps(part).decode() for part in parts)


def _judged(document: Json, options: RestDestinationOptions, place: str) -> Verdict:
    if options.failed and read(options.failed, document, place):
        return Verdict("refused", _reason(options, document, place, f"{options.failed} holds"))
    if options.success and not read(options.success, document, place):
        return Verdict("refused", _reason(options, document, place, f"{options.success} does not hold"))
    found = read(options.id, document, place) if options.id else None
    return Verdict("delivered", remote_id=as_id(found))


def as_id(found: Json) -> str | None:
    """Returns an id as text; None for what cannot be one."""
    return str(found) if isinstance(found, str | int) and not isinstance(found, bool) and found != "" else None


def _reason(options: RestDestinationOptions, document: Json, place: str, otherwise: str) -> str:
    told = read(options.error, document, place) if options.error else None
    words = told if isinstance(told, str) else orjson.dumps(told).decode() if told is not None else otherwise
    return f"the API refused it: {words[:_LONGEST]}"


def read(path: str, document: Json, place: str) -> Json:
    """Returns what is at a JMESPath of an answer; raises BadAnswer where it cannot be applied."""
    try:
        return getter(path)(document)
    except BadRecord as error:
        raise BadAnswer(f"{place}: {error}.") from None


def of_failure(job: str, error: FailedAnswer, parcel: Parcel, options: RestDestinationOptions) -> Verdicts | None:
    """Returns what an answer with a status of 400 or more says of the items; None where it is none about them."""
    item = parcel.items[0]
    if item.act == "delete" and error.status in GONE:
        return {item.key: Verdict("absent")}
    if item.act == "update" and error.status in GONE and error.status not in options.refuse_on:
        reason = f"{error} It is made anew when its record comes again: `worker replay {job} --rejects`."
        return {item.key: Verdict("absent", reason)}
    if error.status == _CONFLICT and options.idempotency_header and item.is_repeated:
        return None  # the API still works on the first of them
    if error.status in options.refuse_on:
        verdict = Verdict("refused", _words(error, options))
        return {one.key: verdict for one in parcel.items}
    return None


def _words(error: FailedAnswer, options: RestDestinationOptions) -> str:
    """Returns the API's reason where the path of reasons finds one in the body, else the error's whole text."""
    try:
        told = getter(options.error)(orjson.loads(error.body)) if options.error else None
    except (BadRecord, orjson.JSONDecodeError):
        told = None
    return f"answered {error.status}: {told[:_LONGEST]}" if isinstance(told, str) and told else str(error)


def places_of(document: Json, names: set[str], place: str) -> Mapping[str, Json]:
    """Returns the values of `{answer.NAME}` in an answer."""
    return {name: read(name.partition(".")[2], document, place) for name in names if name.startswith("answer.")}
