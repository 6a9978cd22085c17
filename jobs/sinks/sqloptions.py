"""What a job says of the table that its rows go to."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from jobs.contract import DatabaseRef, TableRef
from jobs.options import Options

_Key = Annotated[
    tuple[str, ...],
    BeforeValidator(lambda value: (value,) if isinstance(value, str) else value),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
_Share = Annotated[str, Field(pattern=r"^(100|\d{1,2}(\.\d+)?)%$")]
_SHARE, _AT_LEAST = 10, 10  # what goes unasked: so many per cent, and so many rows of a small table


class Guard(Options):
    """How much one run may take away."""

    max_delete: Annotated[int, Field(ge=0, strict=True)] | _Share | None = Field(
        default=None,
        description='Rows that one run may mark or delete, as a number or a share of the table ("10%"). '
        "Where more would go, none goes and the run fails. Absent: 10%, and 10 rows of a table with fewer than 100.",
    )

    def limit(self, live: int) -> int:
        """Returns how many of so many rows may go."""
        if isinstance(self.max_delete, int):
            return self.max_delete
        if self.max_delete is None:
            return max(_AT_LEAST, live * _SHARE // 100)
        return int(float(self.max_delete.rstrip("%")) * live / 100)

    @property
    def words(self) -> str:
        """What the guard allows, as a person would write it."""
        return str(self.max_delete) if self.max_delete is not None else f"{_SHARE}%"


class SqlOptions(Options):
    """Which table rows go to, and how."""

    database: DatabaseRef | None = Field(default=None, description="Absent: the worker's own.")
    table: TableRef
    key: _Key = Field(default=(), description="The columns that tell one row from another.")
    mode: Literal["upsert", "append", "replace", "mirror"] = Field(
        default="upsert",
        description="upsert: rows are added or changed, by their key. append: each run adds its rows, whatever is "
        "there. replace: each run makes the table anew, beside the old one, which it replaces at its end. "
        "mirror: as upsert, and rows that the source no longer has are marked or deleted.",
    )
    table_schema: Literal["evolve", "freeze"] = Field(
        default="evolve",
        alias="schema",
        description="evolve: new fields become columns, and integers that meet decimals become those. freeze: the "
        "table must be there, and a record with a field that has no column is rejected.",
    )
    gone: Literal["mark", "delete"] = Field(
        default="mark",
        description="What becomes of rows that the source no longer has: they get a time in _deleted_at, or go.",
    )
    guard: Guard = Field(default=Guard(), description="How much one run may take away.")

    @model_validator(mode="after")
    def _has_its_key(self) -> Self:
        if self.mode in {"upsert", "mirror"} and not self.key:
            raise ValueError(f'key is missing; mode = "{self.mode}" needs the columns that tell one row from another')
        for name in ("gone", "guard"):
            if name in self.model_fields_set and self.mode in {"append", "replace"}:
                raise ValueError(f'{name} has no meaning with mode = "{self.mode}"; it is for upsert and mirror')
        return self
