"""What profiles know, as a list that a person can read: each resource and destination with its manners."""

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

from worker.config.bases import profile
from worker.config.draft import Draft, Table
from worker.config.lines import Toml
from worker.config.resources import SECTIONS, Section, entries


@dataclass(frozen=True)
class Known:
    """One thing that a profile knows; empty where it says nothing."""

    profile: str
    resource: str  # as a job writes it; NAME where it takes a name
    kind: str  # source, deletions or destination
    path: str
    paging: str
    key: tuple[str, ...]
    cursor: str  # the field, or the parameter of a token
    description: str


def catalogue(profiles: Mapping[str, Table], names: Iterable[str]) -> list[Known]:
    """Returns what the profiles of these names know, the user's own tables among `profiles`, in the order of names."""
    draft = Draft(Path(), {"profiles": deepcopy(dict(profiles))})
    return [known for name in names for known in _of_profile(draft, name)]


def _of_profile(draft: Draft, name: str) -> Iterator[Known]:
    path = profile(draft, name)
    for section in SECTIONS if path else ():
        for resource, table in sorted(entries(draft, path or (), section).items()):
            yield Known(
                profile=name,
                resource=resource,
                kind=_kind(section, table),
                path=str(table.get("path", "")).replace("{name}", "NAME"),
                paging=_paging(table),
                key=_texts(table.get("key")),
                cursor=_cursor(table.get("cursor")),
                description=str(
                    draft.at((*(path or ()), section, resource.removesuffix("/NAME"), "description")) or ""
                ),
            )


def _kind(section: Section, table: Table) -> str:
    """Returns what an entry is for; one whose key is a table tells what another source no longer has."""
    if section == "destinations":
        return "destination"
    return "deletions" if isinstance(table.get("key"), dict) else "source"


def _paging(table: Table) -> str:
    paging = table.get("paging")
    return str(paging.get("kind", "")) if isinstance(paging, dict) else ""


def _cursor(cursor: Toml) -> str:
    return str(cursor.get("field") or cursor.get("param") or "") if isinstance(cursor, dict) else ""


def _texts(key: Toml) -> tuple[str, ...]:
    if isinstance(key, dict):
        return tuple(map(str, key))
    return (key,) if isinstance(key, str) else tuple(map(str, key or ()))
