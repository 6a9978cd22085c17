"""What a map says of a column: a path, or a table of options.

    serial = "serialNumber"
    cost = { from = "cost", type = "decimal", default = "0.00" }
    state = { from = "state", lookup = { "1" = "new", "2" = "open" }, missing = "null" }
    source = { constant = "tangoe" }

An option's combinations are checked when it is configured, and so are the values in it: a default, a constant and the
choices are written plainly (`2026-01-31`, `12.50`, `true`), whatever the format of the source.
"""

import math
from datetime import date, time
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from jobs.contract import DatabaseRef, Json, TableRef
from jobs.convert import NO, YES, Conversion, Words, identity
from jobs.kinds import Kind
from jobs.options import Options
from jobs.paths import Path
from jobs.times import Format, Output, ZoneName

_ANY_NUMBER_OF = BeforeValidator(lambda value: (value,) if isinstance(value, str | int | float) else value)
_TIMES = (Kind.TIMESTAMP, Kind.DATE)
_TABLE_LOOKUP = {"database", "table", "key", "value"}


def _plain(value: Json) -> Json:
    """Returns a value of TOML as JSON has it: dates and times as ISO 8601."""
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"expected a value that JSON knows, found {value}")
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value


Plain = Annotated[Json, BeforeValidator(_plain)]
WordList = Annotated[
    tuple[str, ...],
    _ANY_NUMBER_OF,
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


class TableLookup(Options):
    """Values that stand in a table: `value` of the row whose `key` is what was found."""

    database: DatabaseRef | None = Field(default=None, description="Absent: the worker's own.")
    table: TableRef
    key: str = Field(min_length=1, description="The column that is compared.")
    value: str = Field(min_length=1, description="The column that is taken.")


def _lookup(value: object) -> object:
    if isinstance(value, dict) and "table" in value and set(value) <= _TABLE_LOOKUP:
        return TableLookup.model_validate(value)
    if isinstance(value, dict) and not value:
        raise ValueError('expected what each value becomes, such as { "1" = "new" }, found an empty table')
    return value


class ColumnOptions(Options):
    """What a column is made of, and into what."""

    path: Path | None = Field(
        default=None, alias="from", description="JMESPath into the record; absent: the field of the column's name."
    )
    constant: Plain = Field(default=None, description="The value of every row.")
    type: Literal["text", "integer", "decimal", "float", "boolean", "timestamp", "date", "json"] | None = Field(
        default=None, description="What the column holds; absent: as it comes. What cannot be converted is a reject."
    )
    default: Plain = Field(default=None, description="Stands in for null and for what is missing.")
    required: bool = Field(default=False, description="A record without a value is a reject.")
    format: Format | None = Field(
        default=None,
        description="How the source writes the time or date: iso (default), servicenow, epoch, epoch_ms, or a "
        "pattern of strptime such as %d.%m.%Y.",
    )
    zone: ZoneName | None = Field(default=None, description="Of times that tell none, and of dates; default: UTC.")
    output: Output | None = Field(
        default=None,
        description="How a time or date goes out to an API: iso, servicenow, epoch, epoch_ms or a pattern of strftime.",
    )
    choices: tuple[Plain, ...] | None = Field(default=None, min_length=1, description="Other values are rejects.")
    lookup: Annotated[dict[str, Plain] | TableLookup | None, BeforeValidator(_lookup)] = Field(
        default=None, description="What each value becomes: a table here, or { database, table, key, value }."
    )
    missing: Literal["reject", "null", "keep"] = Field(
        default="reject", description="What becomes of a value that the lookup does not know."
    )
    true: WordList | None = Field(default=None, description=f"Texts that are true; default: {', '.join(YES)}.")
    false: WordList | None = Field(default=None, description=f"Texts that are false; default: {', '.join(NO)}.")
    empty: Literal["keep", "null"] | None = Field(
        default=None, description="What an empty text is; default: kept in columns of text or no type, else null."
    )

    @field_validator("true", "false")
    @classmethod
    def _folded(cls, words: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return tuple(word.strip().casefold() for word in words) if words else None

    @model_validator(mode="after")
    def _keys_agree(self) -> Self:
        given = {("from" if key == "path" else key) for key in self.model_fields_set}
        if self.is_constant:
            _refuse(given - {"constant", "type", "output"}, "constant, which is the whole value")
        if self.kind not in _TIMES:
            _refuse(given & {"format", "zone", "output"}, 'a type other than "timestamp" and "date"')
        if self.kind is not Kind.BOOLEAN:
            _refuse(given & {"true", "false"}, 'a type other than "boolean"')
        if self.lookup is None:
            _refuse(given & {"missing"}, "a column without lookup")
        if self.empty == "keep" and self.kind not in (Kind.TEXT, None):
            raise ValueError(f'empty = "keep" does not go with the type {self.kind}: an empty text is no such value')
        if self.required and self.default is not None:
            raise ValueError("required does not go with default, which stands in for what is missing")
        return self

    @model_validator(mode="after")
    def _values_fit(self) -> Self:
        words = Words(self.true or YES, self.false or NO)
        if both := set(words.true) & set(words.false):
            raise ValueError(f"true and false share the word {min(both)!r}")
        choices = [self._checked("choices", choice) for choice in self.choices or ()]
        default = self._checked("default", self.default)
        self._checked("constant", self.constant)
        if choices and default is not None and identity(default) not in map(identity, choices):
            raise ValueError(f"default: {default!r} is none of the choices")
        return self

    def _checked(self, key: str, value: Json) -> Json:
        try:
            return None if value is None else self.plain.convert(value)
        except (ValueError, OverflowError):
            raise ValueError(f"{key}: {self.plain.complaint(value)}") from None

    @property
    def kind(self) -> Kind | None:
        """What the column is declared to hold."""
        return Kind(self.type) if self.type else None

    @property
    def stored(self) -> Kind | None:
        """What the column holds after `output`."""
        if self.output in (None, "iso"):
            return self.kind
        return Kind.INTEGER if self.output in ("epoch", "epoch_ms") else Kind.TEXT

    @property
    def is_constant(self) -> bool:
        """Tells whether nothing is read from the record."""
        return "constant" in self.model_fields_set

    @property
    def keeps_empty(self) -> bool:
        """Tells whether an empty text is a value."""
        return self.kind in (Kind.TEXT, None) and self.empty != "null"

    @property
    def words(self) -> Words:
        """The texts that are true and false."""
        return Words(self.true or YES, self.false or NO)

    @property
    def plain(self) -> Conversion:
        """How values of the configuration are read."""
        return Conversion.of(self.kind, words=self.words)

    @property
    def conversion(self) -> Conversion:
        """How values of the source are read."""
        return Conversion.of(self.kind, words=self.words, pattern=self.format or "iso", zone=self.zone or "UTC")


def _refuse(keys: set[str], beside: str) -> None:
    if keys:
        raise ValueError(f"{min(keys)} does not go with {beside}")


def _read(value: object) -> object:
    return ColumnOptions.model_validate(value) if isinstance(value, dict) else value


Origin = Annotated[Path | ColumnOptions, BeforeValidator(_read)]
"""What a column is made of: a path into the record, or options."""


def _typed(value: object) -> object:
    return {"type": value} if isinstance(value, str) else value


TypedColumn = Annotated[ColumnOptions, BeforeValidator(_typed)]
"""What a column is made of a field of its name: a type, or options."""
