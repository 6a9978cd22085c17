"""Changes to the rows of a running sandbox, each as somebody else at the far end would make it."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TypeVar
from uuid import uuid4

from worker.sandbox.state import State
from worker.sandbox.table import PLAIN, Row, Table

T = TypeVar("T")
When = datetime | str | None  # None: now; text: written as it is


class RowControls:
    """The controls that read and change rows; every one raises KeyError for a resource or a key that is not there."""

    def __init__(self, state: State) -> None:
        self._state = state

    def _do(self, act: Callable[[State], T]) -> T:
        """Acts on the state; a sandbox with a thread of its own acts over there."""
        return act(self._state)

    def rows(self, resource: str) -> list[Row]:
        """Returns copies of all rows of a resource or staging table, by key."""
        return self._do(lambda state: [dict(row) for row in _table(state, resource).slice_by_key(0, None)])

    def ids(self, resource: str) -> list[str]:
        """Returns the keys of a resource in their order, as text."""
        return self._do(lambda state: list(_table(state, resource).keys()))

    def counts(self) -> dict[str, int]:
        """Returns the number of rows by resource and staging table."""
        return self._do(lambda state: state.world.counts())

    def churn(self, rows: int, resource: str | None = None) -> dict[str, int]:
        """Changes so many rows now and returns how many of which."""
        return self._do(lambda state: _churn(state, rows, resource))

    def insert(self, resource: str, row: Mapping[str, object] | None = None, at: When = None) -> str:
        """Adds a row, made up but for the members given, and returns its key; `at` backdates or postdates its stamp."""
        return self._do(lambda state: _insert(state, resource, row or {}, at))

    def update(
        self,
        resource: str,
        key: str,
        changed: Mapping[str, object] | None = None,
        *,
        at: When = None,
        silent: bool = False,
    ) -> None:
        """Changes members of a row, or merely touches it; a silent change leaves its stamp and its counter alone."""
        self._do(lambda state: _update(state, resource, key, changed or {}, None if silent else (at,)))

    def touch(self, resource: str, keys: int | Iterable[str], at: When = None) -> list[str]:
        """Gives rows, or the first so many by key, one and the same stamp; returns their keys."""
        return self._do(lambda state: _touch(state, resource, keys, at))

    def delete(self, resource: str, key: str) -> None:
        """Deletes a row; of a ServiceNow-style table sys_audit_delete tells, unless the traps say it is not audited."""
        self._do(lambda state: remove(state, resource, str(key), _table(state, resource)))


def _table(state: State, resource: str) -> Table:
    if not state.world.knows(resource):
        msg = f"no resource {resource!r}; there are {', '.join(state.world.names())}"
        raise KeyError(msg)
    return state.world.any_table(resource)


def _row(table: Table, resource: str, key: str) -> Row:
    row = table.get(str(key))
    if row is None:
        msg = f"no row {key!r} in {resource}"
        raise KeyError(msg)
    return row


def _churn(state: State, rows: int, resource: str | None) -> dict[str, int]:
    if resource is not None:
        _table(state, resource)
    return state.world.churn(rows, resource)


def _stamp(state: State, table: Table, at: When) -> Row:
    if not table.stamp:
        return {}
    if isinstance(at, str):
        return {table.stamp: at}
    return {table.stamp: table.write_stamp(at or state.world.now())}


def _insert(state: State, resource: str, given: Mapping[str, object], at: When) -> str:
    table = _table(state, resource)
    made = {} if resource in state.world.staging else state.world.fresh(resource)
    if table.key == "sys_id" and not made.get("sys_id"):
        made = made | {"sys_id": uuid4().hex, "sys_mod_count": "0"}
    row = made | _stamp(state, table, at) | dict(given)
    table.put(row)
    return str(row[table.key])


def _update(state: State, resource: str, key: str, changed: Mapping[str, object], at: tuple[When] | None) -> None:
    table = _table(state, resource)
    old = _row(table, resource, key)
    row = old | dict(changed)
    if at is not None:
        row |= _stamp(state, table, *at)
        for counter in ("sys_mod_count", "revision"):
            if counter in old and counter not in changed:
                count = int(str(old[counter])) + 1
                row[counter] = str(count) if isinstance(old[counter], str) else count
    table.put(row)


def _touch(state: State, resource: str, keys: int | Iterable[str], at: When) -> list[str]:
    table = _table(state, resource)
    chosen = list(table.keys())[:keys] if isinstance(keys, int) else [str(key) for key in keys]
    stamp = _stamp(state, table, at).get(table.stamp)
    for key in chosen:
        _update(state, resource, key, {}, (None if stamp is None else str(stamp),))
    return chosen


def remove(state: State, resource: str, key: str, table: Table) -> None:
    """Deletes a row and files the deletion where the instance keeps them (apis.md 2.4)."""
    row = _row(table, resource, key)
    table.remove(key)
    if table.key != "sys_id" or resource.startswith("sys_audit") or not state.traps.audit_deletes:
        return
    stamp = state.world.now().strftime(PLAIN)
    state.world.table("sys_audit_delete").put(
        {
            "sys_id": uuid4().hex,
            "tablename": str(row.get("sys_class_name") or resource),  # the real class, not the base table
            "documentkey": key,
            "display_value": str(row.get("number") or row.get("name") or ""),
            "sys_created_on": stamp,
            "sys_created_by": state.options.credentials.servicenow_username,
        }
    )
