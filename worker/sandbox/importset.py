"""The Import Set API: rows go in one by one or many at once, and each gets its own verdict (apis.md 2.6)."""

from uuid import uuid4

from worker.sandbox.table import PLAIN, Row, Table
from worker.sandbox.world import World

COALESCE = ("u_serial", "u_id")  # the first that a row has decides what it updates
POISON = "!error"  # a row with this value in any field is answered as a row error
_KEPT = frozenset({"sys_id", "sys_created_on", "sys_updated_on", "sys_mod_count"})


class ImportSets:
    """Staged rows with their verdicts; target rows stand in the world. Not safe for threads."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._staged: dict[tuple[str, str], Row] = {}
        self._targets: dict[tuple[str, str, str], str] = {}
        self._sets = 0

    def open(self) -> str:
        """Starts an import set and returns its number."""
        self._sets += 1
        return f"ISET{10_000 + self._sets:07d}"

    def staged(self, staging: str, sys_id: str) -> Row | None:
        """Returns a staged row with what became of it, or None."""
        return self._staged.get((staging, sys_id))

    def load(self, staging: str, import_set: str, given: dict[str, object], base: str) -> Row:
        """Stages one row, transforms it, returns its verdict; values become text, nested ones mangled."""
        row: Row = {name: _text(value) for name, value in given.items()}
        verdict = {"transform_map": f"{staging} map", "table": staging} | self._transform(staging, row)
        staged_id = uuid4().hex
        if "sys_id" in verdict:
            verdict["record_link"] = f"{base}/api/now/table/{staging}/{verdict['sys_id']}"
        state = {"sys_import_state": verdict["status"], "sys_import_set": import_set}
        self._staged[staging, staged_id] = row | state | {"sys_id": staged_id}
        return verdict | {"staging_sys_id": staged_id}

    def _transform(self, staging: str, row: Row) -> Row:
        if POISON in row.values():
            text = "Unable to resolve a reference value (100)"
            return {"status": "error", "error_message": text, "status_message": text}
        field = next((name for name in COALESCE if name in row), None)
        if field is not None and not row[field]:
            return {"status": "skipped", "status_message": f"no value in the coalesce field {field}"}
        table = self._world.staging.setdefault(staging, Table("sys_id", "sys_updated_on", PLAIN))
        known = self._targets.get((staging, field, str(row[field]))) if field else None
        old = table.get(known) if known else None
        status, target = self._upsert(table, old, row)
        if field:
            self._targets[staging, field, str(row[field])] = target
        shown = {"display_name": field or "sys_id", "display_value": row[field] if field else target}
        return shown | {"status": status, "sys_id": target}

    def _upsert(self, table: Table, old: Row | None, row: Row) -> tuple[str, str]:
        given = {name: value for name, value in row.items() if name not in _KEPT}
        stamp = table.write_stamp(self._world.now())
        if old is None:
            sys_id = uuid4().hex
            fresh = {"sys_id": sys_id, "sys_created_on": stamp, "sys_updated_on": stamp, "sys_mod_count": "0"}
            table.put(given | fresh)
            return "inserted", sys_id
        sys_id = str(old["sys_id"])
        if all(old.get(name) == value for name, value in given.items()):
            return "ignored", sys_id
        count = str(int(str(old["sys_mod_count"])) + 1)
        table.put(old | given | {"sys_updated_on": stamp, "sys_mod_count": count})
        return "updated", sys_id


def _text(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
