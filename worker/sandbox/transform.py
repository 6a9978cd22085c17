"""What becomes of a staged row: a transform map names the target table and the fields that rows are matched by."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import uuid4

from worker.sandbox.table import PLAIN, Row, Table
from worker.sandbox.world import World

COALESCE = (("u_serial",), ("u_id",))  # without a map the first that a row has decides what it updates
POISON = "!error"  # a row with this value in any field is answered as a row error
_KEPT = frozenset({"sys_id", "sys_created_on", "sys_updated_on", "sys_mod_count"})


@dataclass(frozen=True, slots=True)
class TransformMap:
    """Where the rows of a staging table go, and what makes two of them the same."""

    target: str
    coalesce: tuple[str, ...] = ()  # fields of the target, all together; empty: every row is inserted
    fields: Mapping[str, str] = field(default_factory=dict)  # field of the target by field of the staging table


@dataclass(slots=True)
class _Index:
    """Keys of target rows by the values they are matched by, as of one version of the table."""

    version: int = -1
    by_value: dict[tuple[str, ...], list[str]] = field(default_factory=dict)

    def find(self, table: Table, names: tuple[str, ...], value: tuple[str, ...]) -> str | None:
        """Returns the first key with this value; several matches are the sort of thing nobody is told about."""
        if self.version != table.version:
            self.by_value.clear()
            for row in table.all():
                self.note(row, str(row[table.key]), names)
            self.version = table.version
        return next(iter(self.by_value.get(value, ())), None)

    def note(self, row: Row, key: str, names: tuple[str, ...]) -> None:
        """Adds a row."""
        known = self.by_value.setdefault(tuple(str(row.get(name, "")) for name in names), [])
        if key not in known:
            known.append(key)


class Transformer:
    """Applies the maps; target rows stand in the world. Not safe for threads."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.maps: dict[str, TransformMap] = {}
        self._indexes: dict[tuple[str, tuple[str, ...]], _Index] = {}

    def apply(self, staging: str, staged: Row) -> Row:
        """Inserts or updates the target of one row and returns its verdict."""
        if POISON in staged.values():
            text = "Unable to resolve a reference value (100)"
            return {"status": "error", "error_message": text, "status_message": text}
        mapped = self.maps.get(staging)
        row = {mapped.fields.get(name, name): value for name, value in staged.items()} if mapped else staged
        names = mapped.coalesce if mapped else next((one for one in COALESCE if one[0] in row), ())
        value = tuple(str(row.get(name, "")) for name in names)
        if names and not any(value):
            return {"status": "skipped", "status_message": f"no value in the coalesce field {', '.join(names)}"}
        target = mapped.target if mapped else staging
        table, given = self._target(target, row)
        status, sys_id = self._upsert(table, given, (target, names), value)
        shown = {"display_name": ",".join(names) or "sys_id", "display_value": ",".join(value) or sys_id}
        return {"table": target, **shown, "status": status, "sys_id": sys_id}

    def _target(self, name: str, row: Row) -> tuple[Table, Row]:
        """Returns the target table and the fields that it takes; one that nobody knew takes them all."""
        given = {field: value for field, value in row.items() if field not in _KEPT}
        if name in self._world.names() and name not in self._world.staging:
            known = self._world.columns(name)
            return self._world.table(name), {field: value for field, value in given.items() if field in known}
        return self._world.staging.setdefault(name, Table("sys_id", "sys_updated_on", PLAIN)), given

    def _upsert(
        self, table: Table, given: Row, place: tuple[str, tuple[str, ...]], value: tuple[str, ...]
    ) -> tuple[str, str]:
        target, names = place
        index = self._indexes.setdefault(place, _Index())
        known = index.find(table, names, value) if names else None
        old = table.get(known) if known else None
        if old is not None and all(old.get(name) == one for name, one in given.items()):
            return "ignored", str(old["sys_id"])
        stamp = table.write_stamp(self._world.now())
        if old is None:
            columns = {} if target in self._world.staging else dict.fromkeys(self._world.columns(target), "")
            made = {"sys_id": uuid4().hex, "sys_created_on": stamp, "sys_updated_on": stamp, "sys_mod_count": "0"}
            row: Row = columns | given | made
        else:
            count = str(int(str(old["sys_mod_count"])) + 1)
            row = old | given | {"sys_updated_on": stamp, "sys_mod_count": count}
        table.put(row)
        if names:
            index.note(row, str(row["sys_id"]), names)
            index.version = table.version
        return "inserted" if old is None else "updated", str(row["sys_id"])
