"""What is sent to an API: rows become items, items become requests; pure but for the nonces.

A fingerprint is the SHA-256 of what is sent for a row, whichever method it goes by. Where requests carry an idempotency
key a nonce follows it behind a dot: an API that keeps such keys would take a row that goes from A to B and back to A
for one that it has had already.
"""

import hashlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import orjson

from jobs.contract import BadRecord, Delivery, Json, Record
from jobs.rowkeys import why_no_key
from jobs.sinks.restoptions import RestDestinationOptions
from jobs.templates import filled, json_of, path_filled, places, text_filled

_LONGEST_KEY = 1000  # bytes; an index of PostgreSQL takes 2,700 in all
_OPEN = frozenset({"sending", "in_doubt"})
_LEAVING = ""  # the fingerprint of a deletion

Act = Literal["create", "update", "delete"]


@dataclass(frozen=True)
class Item:
    """One row on its way; `record` is what it was made from, `before` what was known when it was looked at."""

    key: str
    row: Record
    record: Json
    fingerprint: str
    before: Delivery | None
    act: Act = "create"

    @property
    def remote_id(self) -> str | None:
        """What the API calls the row: None where it was never delivered, "" where it was and no id is known."""
        return self.before.remote_id if self.before else None

    @property
    def was_delivered(self) -> bool:
        """Tells whether its last state is there."""
        return self.before is not None and self.before.state == "delivered"

    @property
    def is_known(self) -> bool:
        """Tells whether just this was delivered before."""
        return self.before is not None and self.was_delivered and self._is_same(self.before)

    @property
    def is_in_doubt(self) -> bool:
        """Tells whether nobody knows if a request for the row arrived."""
        return self.before is not None and self.before.state in _OPEN

    @property
    def is_repeated(self) -> bool:
        """Tells whether what is in doubt is just this."""
        return self.before is not None and self.is_in_doubt and self._is_same(self.before)

    def anew(self) -> "Item":
        """Returns the row as one that is surely not there."""
        return replace(self, act="create", before=Delivery(self.key, _LEAVING, "absent"))

    def _is_same(self, before: Delivery) -> bool:
        return before.fingerprint.partition(".")[0] == self.fingerprint.partition(".")[0]


@dataclass(frozen=True)
class Parcel:
    """One request: what it says, and the items it is about."""

    items: tuple[Item, ...]
    method: str
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    body: Json

    @property
    def halves(self) -> list[tuple[Item, ...]]:
        """The items in two parts."""
        half = len(self.items) // 2
        return [self.items[:half], self.items[half:]]


def is_leaving(delivery: Delivery) -> bool:
    """Tells whether what was sent last is the row's deletion."""
    return delivery.fingerprint == _LEAVING


def key_of(row: Record, columns: Sequence[str]) -> str:
    """Returns a row's key as deliveries know it: JSON; raises BadRecord where a part of it is missing."""
    for column in columns:
        if why := why_no_key(column, row.get(column)):
            raise BadRecord(why)
    values = [row[column] for column in columns]
    text = json_of(values if len(columns) > 1 else values[0], "the key", orjson.OPT_SORT_KEYS)
    return text.decode() if len(text) <= _LONGEST_KEY else hashlib.sha256(text).hexdigest()


class Packer:
    """Makes items and requests as the options say."""

    def __init__(self, options: RestDestinationOptions, job: str) -> None:
        self._options = options
        self._job = job

    def item(self, row: Record, record: Json, key: str, before: Delivery | None) -> Item:
        """Returns a row as an item; raises BadRecord where a template's value is missing."""
        item = Item(key, row, record, self._fingerprint(row), before, self._act(before))
        if before is not None and (item.is_repeated or item.is_known):
            return replace(item, fingerprint=before.fingerprint)
        if not self._options.idempotency_header:
            return item
        return replace(item, fingerprint=f"{item.fingerprint}.{secrets.token_hex(8)}")

    def found(self, item: Item, remote_id: str) -> Item:
        """Returns an item of which a look at the API told that it is there; "" where its id was not told."""
        before = Delivery(item.key, item.fingerprint, "in_doubt", remote_id)
        return replace(item, before=before, act="delete" if item.act == "delete" else self._act(before))

    def gone(self, row: Record, before: Delivery) -> Item:
        """Returns what is to be taken away as an item."""
        return Item(key_of(row, self._options.key), row, row, _LEAVING, before, "delete")

    def groups(self, items: Sequence[Item]) -> Iterator[tuple[Item, ...]]:
        """Yields the items of each request: new rows in batches, then the others one by one."""
        new = [item for item in items if item.act == "create"]
        for start in range(0, len(new), self._options.batch):
            yield tuple(new[start : start + self._options.batch])
        yield from ((item,) for item in items if item.act != "create")

    def parcel(self, items: tuple[Item, ...]) -> Parcel:
        """Returns the request for these items; raises BadRecord where a template's value is missing."""
        options, item = self._options, items[0]
        if item.act == "delete" and options.delete:
            path = path_filled(options.delete.path, self._values(item))
            return Parcel(items, options.delete.method, path, {}, options.headers, None)
        if item.act == "update" and options.update:
            path, body = path_filled(options.update.path, self._values(item)), self._update_body(item)
            return Parcel(items, options.update.method, path, {}, self._headers(items), body)
        values = self._values(item) if options.batch == 1 else {"rows": [one.row for one in items]}
        path, params = path_filled(options.path, values), _texts(options.params, values)
        return Parcel(items, options.method, path, params, self._headers(items), self._body(values))

    def _act(self, before: Delivery | None) -> Act:
        options = self._options
        if options.update is None or before is None or before.remote_id is None:
            return "create"
        if before.remote_id or "remote_id" not in places(options.update.model_dump()):
            return "update"
        is_known_again = options.method == "PUT" or options.in_doubt == "resend"
        return "create" if is_known_again else "update"

    def _values(self, item: Item) -> Record:
        known = {"remote_id": item.remote_id} if item.remote_id else {}
        return {**item.row, "row": item.row, "rows": [item.row], **known}

    def _body(self, values: Record) -> Json:
        if self._options.body is not None:
            return filled(self._options.body, values)
        return values["row"] if self._options.batch == 1 else values["rows"]

    def _update_body(self, item: Item) -> Json:
        options, values = self._options, self._values(item)
        own = options.update.body if options.update else None
        template = own if own is not None else options.body if options.batch == 1 else None
        return item.row if template is None else filled(template, values)

    def _headers(self, items: tuple[Item, ...]) -> Mapping[str, str]:
        name = self._options.idempotency_header
        if not name:
            return self._options.headers
        parts = [self._job, *(part for item in items for part in (item.key, item.fingerprint))]
        return {**self._options.headers, name: hashlib.sha256(orjson.dumps(parts)).hexdigest()}

    def _fingerprint(self, row: Record) -> str:
        """Returns what tells one content of a row from another; the id that the API gave it does not count."""
        options = self._options
        values = {**row, "row": row, "rows": [row], "remote_id": ""}
        sent = [text_filled(options.path, values), _texts(options.params, values), filled(options.body, values)]
        if options.update:
            sent += [text_filled(options.update.path, values), filled(options.update.body, values)]
        sent = sent if options.body is not None else [*sent, row]
        return hashlib.sha256(json_of(sent, "the row", orjson.OPT_SORT_KEYS)).hexdigest()


def _texts(params: Mapping[str, str], values: Record) -> dict[str, str]:
    return {name: text_filled(text, values) for name, text in params.items()}
