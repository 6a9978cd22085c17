"""The SQL that stores rows in a table, by its names: what is inserted, what is merged, what counts as a change."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from jobs.kinds import Kind
from jobs.sinks.kinds import Column
from jobs.sinks.schema import SYSTEM

_DEEPEST = 500  # terms in a row; SQLite refuses an expression of more than 1,000


@dataclass(frozen=True)
class Texts:
    """The statements on one table; the names that they are made of are quoted."""

    table: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    quote: Callable[[str], str]

    @property
    def names(self) -> list[str]:
        """The columns' names."""
        return [column.name for column in self.columns]

    def listed(self, names: Iterable[str]) -> str:
        """Returns names as a list."""
        return ", ".join(map(self.quote, names))

    def insert(self, rows: str, differs: str) -> str:
        """Returns an INSERT of these rows, system's columns first, which changes what differs."""
        columns = self.listed((*SYSTEM, *self.names))
        return f"INSERT INTO {self.quote(self.table)} ({columns}) {rows} {self._conflict(differs)}"

    def news(self, stage: str) -> str:
        """Returns a query of the staged rows that the table does not hold just so.

        ON CONFLICT would lock every row that it leaves alone, which writes as much as a change. OFFSET 0 keeps the
        look-ups in the key's index: a staging table has no statistics to plan a join by.
        """
        there = self.quote(self.table)
        same = [self._compared(column, "IS NOT DISTINCT FROM", "stage") for column in self._free]
        found = f"SELECT FROM {there} WHERE {' AND '.join((*self._equal, *same))} OFFSET 0"
        columns = ", ".join(f"stage.{self.quote(name)}" for name in self.names)
        return f"SELECT %s, %s, %s, {columns} FROM {self.quote(stage)} AS stage WHERE NOT EXISTS ({found})"  # noqa: S608 - names are quoted

    def distinct(self, stage: str) -> str:
        """Returns a query of how many different keys the staged rows have."""
        return f"SELECT count(DISTINCT ({self.listed(self.key)})) FROM {self.quote(stage)}"  # noqa: S608 - quoted

    def older(self, stage: str) -> str:
        """Returns a DELETE of the staged rows whose key comes again later, in whatever spelling."""
        same = [f"older.{self.quote(name)} = newer.{self.quote(name)}" for name in self.key]
        rows = self.quote(stage)
        where = " AND ".join((*same, "older.ctid < newer.ctid"))  # in the order of the COPY
        return f"DELETE FROM {rows} AS older USING {rows} AS newer WHERE {where}"  # noqa: S608 - names are quoted

    def merge(self, types: Mapping[Kind, str]) -> str:
        """Returns a MERGE of rows that come as an array a column; all its parameters go by their column's name."""
        names = (*SYSTEM, *self.names)
        given = [*(f"%({name})s" for name in SYSTEM), *(f"stage.{self.quote(name)}" for name in self.names)]
        arrays = ", ".join(f"%({column.name})s::{types[column.kind]}[]" for column in self.columns)
        free = [(name, value) for name, value in zip(names, given, strict=True) if name not in self.key]
        sets = ", ".join(f"{self.quote(name)} = {value}" for name, value in free)
        parts = [
            f"MERGE INTO {self.quote(self.table)}",
            f"USING unnest({arrays}) AS stage ({self.listed(self.names)}) ON {' AND '.join(self._equal)}",
            f"WHEN NOT MATCHED THEN INSERT ({self.listed(names)}) VALUES ({', '.join(given)})",  # noqa: S608 - quoted
        ]
        if self._free:
            changed = self._changed("IS DISTINCT FROM", "stage")
            parts.append(f"WHEN MATCHED AND ({changed}) THEN UPDATE SET {sets}")
        return " ".join(parts)

    def _conflict(self, differs: str) -> str:
        """Returns what happens to a row whose key is there: nothing, unless a column differs."""
        if not self.key:
            return ""
        if not self._free:
            return f"ON CONFLICT ({self.listed(self.key)}) DO NOTHING"
        named = [self.quote(name) for name in (*(column.name for column in self._free), *SYSTEM)]
        sets = ", ".join(f"{name} = excluded.{name}" for name in named)
        return f"ON CONFLICT ({self.listed(self.key)}) DO UPDATE SET {sets} WHERE {self._changed(differs, 'excluded')}"

    def _changed(self, differs: str, other: str) -> str:
        changed = [self._compared(column, differs, other) for column in self._free]
        groups = [" OR ".join(changed[start : start + _DEEPEST]) for start in range(0, len(changed), _DEEPEST)]
        return f"({') OR ('.join(groups)})"

    def _compared(self, column: Column, comparison: str, other: str) -> str:
        name = self.quote(column.name)
        cast = "::text" if column.strict and column.kind is Kind.OTHER else ""  # json, xml: no equality
        return f"{self.quote(self.table)}.{name}{cast} {comparison} {other}.{name}{cast}"

    @property
    def _free(self) -> list[Column]:
        return [column for column in self.columns if column.name not in self.key]

    @property
    def _equal(self) -> list[str]:
        there = self.quote(self.table)
        return [f"{there}.{self.quote(name)} = stage.{self.quote(name)}" for name in self.key]
