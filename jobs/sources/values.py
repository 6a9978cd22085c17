"""What databases give as what JSON holds, and a JSON value back as a database takes it.

A time becomes text in UTC to the microsecond (`2026-01-31T08:00:00.000000Z`), a date `2026-01-31`, an exact number its
digits, bytes base64, an interval its seconds. A time without a zone is a wall clock's in the source's zone.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson

from jobs.contract import Json

Form = Literal["plain", "json", "boolean", "aware", "naive", "date"]
"""How a column keeps its values, where that is not seen by them: JSON as text, a truth as a number, times."""

_READY = {str, int, float, bool, type(None)}
_TRUTHS = {0: False, 1: True}


def utc_text(moment: datetime, zone: ZoneInfo) -> str:
    """Returns a time as it is put out; `zone` is where it was without one."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=zone)
    return f"{aware.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


class Values:
    """Turns rows into records; `forms` are those of the columns that are not plain."""

    def __init__(self, zone: str = "UTC", forms: Mapping[str, Form] | None = None) -> None:
        self._zone = ZoneInfo(zone)
        self._forms = forms or {}

    def records(self, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[Json]:
        """Returns the rows as records; what a row holds beyond the names is left out."""
        records = [dict(zip(names, row, strict=False)) for row in rows]
        for name, values in zip(names, zip(*rows, strict=True), strict=False):
            column = self._column(name, values)
            if column is not values:
                for record, value in zip(records, column, strict=True):
                    record[name] = value
        return records

    def value(self, name: str, value: object) -> Json:
        """Returns one value of a column as JSON holds it."""
        return self._column(name, (value,))[0]

    def stored(self, name: str, value: Json) -> object:
        """Returns a value of a column as the database takes it; raises ValueError for what is no time where one is due.

        Text stays text where the column's form says nothing: databases read it as what the column is.
        """
        form = self._forms.get(name, "plain")
        if value is None or form not in ("aware", "naive", "date"):
            return value
        moment = datetime.fromisoformat(str(value))
        if form == "date":
            return moment.date()
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return aware if form == "aware" else aware.astimezone(self._zone).replace(tzinfo=None)

    def _column(self, name: str, values: Sequence[object]) -> Sequence[Json]:
        form = self._forms.get(name)
        if form == "json":
            return [self._document(value) for value in values]
        if form == "boolean":
            return [_TRUTHS.get(value, value) if type(value) is int else self._plain(value) for value in values]
        return values if set(map(type, values)) <= _READY else [self._plain(value) for value in values]

    def _document(self, value: object) -> Json:
        """Returns a JSON document from its text; text that is none stays as it is."""
        if not isinstance(value, str | bytes):
            return self._plain(value)
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return self._plain(value)

    def _plain(self, value: object) -> Json:
        if type(value) in _READY:
            return value
        if isinstance(value, datetime):
            return utc_text(value, self._zone)
        if isinstance(value, Mapping):
            return {str(key): self._plain(part) for key, part in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._plain(part) for part in value]
        return next((write(value) for kind, write in _WRITERS.items() if isinstance(value, kind)), str(value))


_WRITERS: dict[type | tuple[type, ...], Callable[[Any], Json]] = {
    Decimal: lambda value: format(value, "f") if value.is_finite() else str(value),
    (date, time): lambda value: value.isoformat(),
    timedelta: lambda value: value.total_seconds(),
    (bytes, bytearray, memoryview): lambda value: b64encode(bytes(value)).decode(),
    UUID: str,
    Enum: lambda value: value.value,
}
