"""How the Table API shows a record: chosen fields, references as links, display values."""

from dataclasses import dataclass
from typing import Self

from aiohttp import web

from worker.sandbox.answers import origin
from worker.sandbox.table import Row
from worker.sandbox.world import World

REFERENCES = {
    "incident": {"caller_id": "sys_user", "assigned_to": "sys_user", "cmdb_ci": "cmdb_ci"},
    "cmdb_ci": {"assigned_to": "sys_user"},
    "sys_user": {"manager": "sys_user"},
}
STAGED = {"sys_import_set": "sys_import_set"}  # of staging tables, which any name can be
CHOICES = {
    "state": {"1": "New", "2": "In Progress", "3": "On Hold", "6": "Resolved", "7": "Closed"},
    "priority": {
        "1": "1 - Critical",
        "2": "2 - High",
        "3": "3 - Moderate",
        "4": "4 - Low",
        "5": "5 - Planning",
    },
    "install_status": {"1": "Installed", "2": "On Order", "7": "Retired"},
    "operational_status": {"1": "Operational", "2": "Non-Operational"},
}


@dataclass(frozen=True, slots=True)
class View:
    """What a caller asked to see of each record."""

    base: str  # scheme and host of links
    fields: tuple[str, ...]
    display: str  # "true", "false" or "all"
    links: bool

    @classmethod
    def asked(cls, request: web.Request) -> Self:
        """Returns the view that the request's parameters describe."""
        fields = tuple(name.strip() for name in request.query.get("sysparm_fields", "").split(",") if name.strip())
        display = request.query.get("sysparm_display_value", "false")
        links = request.query.get("sysparm_exclude_reference_link") != "true"
        return cls(origin(request), fields, display if display in ("true", "all") else "false", links)


def rendered(name: str, row: Row, view: View, world: World) -> Row:
    """Returns the record as the view shows it; fields that do not exist are left out in silence."""
    shown = {field: row[field] for field in view.fields if field in row} if view.fields else dict(row)
    references = REFERENCES.get(name, STAGED)
    if view.display != "false":
        return {field: _shown(field, str(value), references.get(field), view, world) for field, value in shown.items()}
    if view.links:
        for field, target in references.items():
            if shown.get(field):
                shown[field] = {"link": _link(view, target, shown[field]), "value": shown[field]}
    return shown


def _link(view: View, target: str, key: object) -> str:
    return f"{view.base}/api/now/table/{target}/{key}"


def _shown(field: str, value: str, target: str | None, view: View, world: World) -> object:
    """Returns the display value of one field, with value and link where the view wants them."""
    display = CHOICES.get(field, {}).get(value, value)
    if target and value:
        other = world.table(target).get(value) or {}
        display = str(other.get("name") or other.get("number") or value)
    link = {"link": _link(view, target, value)} if target and value and view.links else {}
    if view.display == "all":
        return {"display_value": display, "value": value} | link
    return {"display_value": display} | link if link else display
