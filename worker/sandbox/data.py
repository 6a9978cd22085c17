"""The resources a sandbox starts with: which table each has and what makes its rows."""

from collections.abc import Callable

from worker.sandbox.servicenow_rows import ServicenowRows
from worker.sandbox.table import MICROSECONDS, PLAIN, Row, Table
from worker.sandbox.tangoe_rows import TangoeRows


def tables(seed: int, rows: int) -> dict[str, tuple[Table, Callable[[int], Row]]]:
    """Returns for each resource its empty table and the maker of its rows."""
    people = max(rows, 1)
    tangoe, now = TangoeRows(seed, people), ServicenowRows(seed, people)
    return {
        "devices": (Table("id", "updated", MICROSECONDS), tangoe.devices),
        "services": (Table("id", "updated"), tangoe.services),
        "orders": (Table("id", "updated"), tangoe.orders),
        "employees": (Table("id", "updated"), tangoe.employees),
        "items": (Table("id", "updated_at", MICROSECONDS), tangoe.items),
        "order_lines": (Table("id", "updated_at"), tangoe.order_lines),
        "u_plain": (Table("sys_id", ""), now.u_plain),
        "sys_audit_delete": (Table("sys_id", "sys_created_on", PLAIN), now.sys_audit_delete),
        "sys_import_set": (Table("sys_id", "sys_updated_on", PLAIN), now.sys_import_set),
        "incident": (Table("sys_id", "sys_updated_on", PLAIN), now.incident),
        "cmdb_ci": (Table("sys_id", "sys_updated_on", PLAIN), now.cmdb_ci),
        "sys_user": (Table("sys_id", "sys_updated_on", PLAIN), now.sys_user),
    }
