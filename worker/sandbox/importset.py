"""The Import Set API: rows go in one by one or many at once, and each gets its own verdict (apis.md 2.6)."""

from collections import deque
from dataclasses import dataclass
from uuid import uuid4

from worker.sandbox.table import PLAIN, Row, Table
from worker.sandbox.transform import Transformer
from worker.sandbox.traps import Traps
from worker.sandbox.world import World

ROWS = "sys_import_set_row"  # the base of all staging tables: every staged row, with its base fields only
_SETS = "sys_import_set"
_BASE = (
    "sys_id",
    "sys_import_set",
    "sys_import_row",
    "sys_import_state",
    "sys_import_state_comment",
    "sys_target_table",
    "sys_target_sys_id",
    "sys_transform_map",
    "sys_class_name",
    "sys_created_on",
    "sys_updated_on",
    "sys_mod_count",
)


@dataclass(slots=True)
class _Waiting:
    """An import set whose rows are not all transformed yet."""

    sys_id: str
    staging: str
    rows: deque[str]
    looks: int  # that see it pending still
    after: str = ""  # import set that comes first


class ImportSets:
    """Import sets and staged rows with their verdicts; not safe for threads."""

    def __init__(self, world: World, traps: Traps) -> None:
        self._world = world
        self._traps = traps
        self._staged: dict[str, Table] = {}
        self._columns: dict[str, set[str]] = {}
        self._waiting: list[_Waiting] = []
        self._sets = 0
        self.transformer = Transformer(world)

    def table(self, name: str) -> Table | None:
        """Returns the staged rows of a staging table, or those of all; None when there never were any."""
        return self._staged.get(name)

    def columns(self, name: str) -> frozenset[str]:
        """Returns the columns of a staging table: those of the base, and those that its rows have brought."""
        return frozenset(self._columns[name])

    def open(self, staging: str, multi: str = "", after: str = "") -> Row:
        """Starts an import set and returns its record."""
        self._sets += 1
        stamp = self._world.now().strftime(PLAIN)
        row: Row = {
            "sys_id": uuid4().hex,
            "number": f"ISET{10_000 + self._sets:07d}",
            "state": "loading",
            "table_name": staging,
            "multi_import_set": multi,
            "run_after": after,
            "sys_created_on": stamp,
            "sys_updated_on": stamp,
            "sys_mod_count": "0",
        }
        self._world.table(_SETS).put(row)
        return row

    def stage(self, staging: str, import_set: Row, given: dict[str, object]) -> str:
        """Stages one row, pending, and returns its sys_id; values become text, nested ones mangled."""
        stamp = self._world.now().strftime(PLAIN)
        key = uuid4().hex
        base: Row = {
            **dict.fromkeys(_BASE, ""),
            "sys_id": key,
            "sys_import_set": str(import_set["sys_id"]),
            "sys_import_row": str(len(self._staged.get(staging, ()))),
            "sys_import_state": "pending",
            "sys_class_name": staging,
            "sys_created_on": stamp,
            "sys_updated_on": stamp,
            "sys_mod_count": "0",
        }
        self._keep(staging, {name: _text(value) for name, value in given.items()} | base)
        return key

    def _keep(self, staging: str, row: Row) -> None:
        for name, shown in ((staging, row), (ROWS, {name: row[name] for name in _BASE})):
            self._staged.setdefault(name, Table("sys_id", "sys_updated_on", PLAIN)).put(shown)
            self._columns.setdefault(name, set()).update(shown)

    def transform(self, staging: str, key: str, base: str = "") -> Row:
        """Transforms one staged row and returns its verdict, with links below `base`."""
        staged = self._staged[staging].get(key) or {}
        given = {name: value for name, value in staged.items() if name not in _BASE}
        verdict = {"transform_map": f"{staging} map", "table": staging} | self.transformer.apply(staging, given)
        if "sys_id" in verdict:
            verdict["record_link"] = f"{base}/api/now/table/{verdict['table']}/{verdict['sys_id']}"
        self._keep(
            staging,
            staged
            | {
                "sys_import_state": verdict["status"],
                "sys_import_state_comment": str(verdict.get("error_message") or verdict.get("status_message") or ""),
                "sys_target_table": verdict["table"] if "sys_id" in verdict else "",
                "sys_target_sys_id": verdict.get("sys_id", ""),
                "sys_transform_map": verdict["transform_map"],
                "sys_updated_on": self._world.now().strftime(PLAIN),
                "sys_mod_count": "1",
            },
        )
        return verdict | {"staging_sys_id": key}

    def close(self, sys_id: str, state: str = "processed") -> None:
        """Tells in the record of an import set how it stands."""
        table = self._world.table(_SETS)
        row = table.get(sys_id)
        if row is not None:
            table.put(row | {"state": state, "sys_updated_on": self._world.now().strftime(PLAIN)})

    def queue(self, staging: str, import_set: Row, keys: list[str]) -> None:
        """Leaves staged rows to be transformed later: by `run`, or after so many looks as the traps say."""
        sys_id = str(import_set["sys_id"])
        self.close(sys_id, "loaded")
        after = str(import_set["run_after"])
        self._waiting.append(_Waiting(sys_id, staging, deque(keys), self._traps.import_polls, after))

    def run(self) -> None:
        """Transforms what waits for no look."""
        for one in list(self._waiting):
            if one.looks == 0 and not self._blocked(one):
                self._work(one, len(one.rows))

    def looked(self, name: str) -> None:
        """Counts a look at staged rows or import sets; what was looked at often enough is transformed."""
        for one in list(self._waiting):
            if name not in (one.staging, ROWS, _SETS) or self._blocked(one):
                continue
            if one.looks > 0:
                one.looks -= 1
            else:
                self._work(one, self._traps.import_batch or len(one.rows))

    def _blocked(self, one: _Waiting) -> bool:
        return any(other.sys_id == one.after for other in self._waiting)

    def _work(self, one: _Waiting, rows: int) -> None:
        for _ in range(min(rows, len(one.rows))):
            self.transform(one.staging, one.rows.popleft())
        if not one.rows:
            self._waiting.remove(one)
            self.close(one.sys_id)

    def purge(self, staging: str | None = None) -> int:
        """Forgets staged rows as the nightly job does, and import sets; returns how many rows there were."""
        doomed = [row for name, table in self._staged.items() if name != ROWS for row in list(table.all())]
        doomed = [row for row in doomed if staging in (None, row["sys_class_name"])]
        for row in doomed:
            for name in (str(row["sys_class_name"]), ROWS):
                self._staged[name].remove(str(row["sys_id"]))
            self._world.table(_SETS).remove(str(row["sys_import_set"]))
        self._waiting = [one for one in self._waiting if staging not in (None, one.staging)]
        return len(doomed)


def _text(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def by_name(label: str) -> str:
    """Returns the column of a label: `u_asset_tag` of "Asset tag"; of a name, one that no table has."""
    return "u_" + label.strip().lower().replace(" ", "_")
