"""Records from a database, as they are configured: a table or a query, and how it is read again."""

from typing import Annotated, Self

import sqlalchemy as sa
from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from jobs.contract import DatabaseRef, Duration
from jobs.options import Options
from jobs.times import ZoneName

Scalar = str | int | float | bool
Names = Annotated[
    tuple[str, ...],
    BeforeValidator(lambda value: (value,) if isinstance(value, str) else value),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
_KNOWN = ("since", "until", "cursor")
_OF_TABLES = ("columns", "where", "key")


class SqlCursorOptions(Options):
    """Which column tells what is new."""

    field: str = Field(min_length=1, description="A column that grows with each change: a time, a number or a text.")
    lookback: Duration = Field(
        default=0.0, description="Read again so far back, for rows whose transactions were committed late; of times."
    )
    initial: str | int | float | None = Field(
        default=None, description="Where the first run starts; absent: everything, which a query with :cursor cannot."
    )


class SqlSourceOptions(Options):
    """A table or a query of a database; each row is a record.

    Values become what JSON holds: times as text in UTC, dates, exact numbers as text, bytes as base64.
    """

    database: DatabaseRef | None = Field(default=None, description="Absent: the worker's own.")
    table: str | None = Field(
        default=None,
        pattern=r"^([A-Za-z_][A-Za-z0-9_$]*\.)?[A-Za-z_][A-Za-z0-9_$]*$",
        description="A table or view, its schema before a dot where it has one.",
    )
    query: str | None = Field(
        default=None, min_length=1, description="A SELECT; :name takes the parameter of that name as a bound value."
    )
    params: dict[str, Scalar] = Field(default_factory=dict, description="Values of :name in query and where.")
    columns: Names = Field(default=(), description="The table's columns to read; absent: all but the worker's own.")
    where: str = Field(default="", description="A condition in SQL on the table's rows, with :name for parameters.")
    key: Names = Field(default=(), description="Columns that tell one row from another; absent: the primary key.")
    size: int = Field(default=1000, ge=1, le=100_000, description="Rows per page.")
    zone: ZoneName = Field(default="UTC", description="Where times without a zone are meant.")
    decode: Names = Field(default=(), description="Columns that hold JSON as text, where the database does not tell.")
    system: bool = Field(default=False, description="Read the worker's own columns too, such as _synced_at.")
    cursor: SqlCursorOptions | None = Field(default=None, description="Absent: each run reads everything.")
    changed_only: bool = Field(
        default=False, description="Read what changed since this job's last run, by the _version that syncs write."
    )

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        if (self.table is None) == (self.query is None):
            raise ValueError("expected either table or query")
        if self.query is not None:
            self._check_query()
        if self.changed_only and self.cursor is not None:
            raise ValueError("changed_only is a cursor of its own: leave cursor out")
        self._check_names()
        return self

    def _check_query(self) -> None:
        for name in _OF_TABLES:
            if getattr(self, name):
                raise ValueError(f"{name} goes with table; a query says it itself")
        if self.changed_only:
            raise ValueError("changed_only goes with table; in a query write a condition on _version")
        if (self.cursor is not None) != ("cursor" in self.asked):
            raise ValueError("a query with a cursor says :cursor in its condition, and only such a one has a cursor")
        if self.cursor is not None and self.cursor.initial is None:
            raise ValueError("cursor.initial is missing: what stands for :cursor in the first run")

    def _check_names(self) -> None:
        if self.table is not None and "cursor" in self.asked:
            raise ValueError("where: :cursor is for queries; on a table the cursor writes its condition itself")
        for name in sorted(self.asked):
            if name not in (*_KNOWN, *self.params):
                raise ValueError(f"nothing is known to fill :{name}; add it to params, or write \\: for a colon")
        for name in self.params:
            if name in _KNOWN:
                raise ValueError(f"params: :{name} is filled by the run; name it otherwise")
            if name not in self.asked:
                raise ValueError(f"params: nothing asks for :{name}")

    @property
    def asked(self) -> set[str]:
        """The names after colons in the query or the condition."""
        return set(sa.text(self.query or self.where).compile().params)
