"""What a profile knows by name, for jobs to read from and write to: entries, families of them, likenesses.

An entry whose texts hold `{name}` is a family: `table` is used as `table/incident`. An entry that is `like` another
takes from it what it does not say itself; so an entry is a chain of tables, of which the first that has a key wins.
"""

import re
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from typing import Literal
from urllib.parse import unquote

from worker.config.draft import Draft, Table
from worker.config.lines import KeyPath, Toml
from worker.config.nearest import hint

Section = Literal["resources", "destinations"]
SECTIONS: tuple[Section, ...] = ("resources", "destinations")
ASIDE = ("description", "like")  # keys of an entry that are for the profile itself
WORDS: dict[Section, str] = {"resources": "resource", "destinations": "destination"}

_NAME = "{name}"
_STEP = re.compile(r"(?:[A-Za-z0-9_.~@:+,-]|%[0-9A-Fa-f]{2})+")  # no sign that ends a path, or a part of a query
_HIDDEN = re.compile(r"[\x00-\x1f\x7f/\\\ufffd]")  # what a percent sign must not bring in; U+FFFD: not UTF-8


class UnknownEntry(LookupError):
    """A profile has no such entry, or the name behind its slash cannot be used; says why."""


@dataclass(frozen=True)
class Entry:
    """A resource or a destination: the tables that it is made of, nearest first, each with what {name} stands for."""

    layers: tuple[tuple[KeyPath, str], ...]

    def fill(self, draft: Draft, target: KeyPath) -> None:
        """Puts the entry beneath a table's own keys, each key with the place where the profile says it."""
        for path, name in self.layers:
            draft.fill(target, path, partial(_named, name))

    def table(self, draft: Draft) -> Table:
        """Returns the entry as one table."""
        scratch = Draft(draft.main, {"profiles": draft.data.get("profiles", {}), "entry": {}})
        self.fill(scratch, ("entry",))
        made: Table = scratch.data["entry"]
        return made


def entries(draft: Draft, profile: KeyPath, section: Section) -> dict[str, Table]:
    """Returns what a profile knows: `table/NAME` for a family. Raises UnknownEntry for a `like` that leads nowhere."""
    found = {}
    for name in _known(draft, profile, section):
        table = _chain(draft, (*profile, section), name, _NAME).table(draft)
        found[f"{name}/NAME" if is_family(table) else name] = table
    return found


def entry(draft: Draft, profile: KeyPath, section: Section, wanted: Toml) -> Entry:
    """Returns the entry that a job names; raises UnknownEntry."""
    root, known = (*profile, section), _known(draft, profile, section)
    if isinstance(wanted, str) and wanted in known:
        found = _chain(draft, root, wanted, _NAME)
        if not is_family(found.table(draft)):
            return found
    family, _, name = str(wanted).partition("/")
    if name and family in known and is_family(_chain(draft, root, family, _NAME).table(draft)):
        _check_name(name)
        return _chain(draft, root, family, name)
    near = hint(str(wanted), entries(draft, profile, section))
    raise UnknownEntry(f"the profile {profile[-1]} knows no {WORDS[section]} {wanted!r}; {near}")


def check_likenesses(draft: Draft, profile: KeyPath) -> None:
    """Notes each entry of a profile that is like one which does not exist, or like itself."""
    for section in SECTIONS:
        for name, table in _known(draft, profile, section).items():
            if "like" in table:
                try:
                    _chain(draft, (*profile, section), name, _NAME)
                except UnknownEntry as error:
                    draft.blame((*profile, section, name, "like"), str(error))


def is_family(table: Table) -> bool:
    """Tells whether something that an entry gives to jobs waits for a name."""
    return any(_waits(part) for key, part in table.items() if key not in ASIDE)


def _waits(value: Toml) -> bool:
    if isinstance(value, dict | list):
        return any(map(_waits, value.values() if isinstance(value, dict) else value))
    return isinstance(value, str) and _NAME in value


def _known(draft: Draft, profile: KeyPath, section: Section) -> dict[str, Table]:
    found = draft.at((*profile, section)) or {}
    return {name: table for name, table in found.items() if isinstance(table, dict)}


def _chain(draft: Draft, root: KeyPath, name: str, filling: str) -> Entry:
    """Returns an entry with all that it is like; `filling` stands for {name} in its texts. Raises UnknownEntry."""
    layers: list[tuple[KeyPath, str]] = []
    while True:
        path = (*root, name)
        layers.append((path, filling))
        like = draft.at((*path, "like"))
        if like is None:
            return Entry(tuple(layers))
        name, filling = _model(draft, root, like, filling)
        if (*root, name) in [before for before, _ in layers]:
            raise UnknownEntry(f"like leads back to {name}; take it out of one of them")


def _model(draft: Draft, root: KeyPath, like: Toml, filling: str) -> tuple[str, str]:
    """Returns the entry that `like` names, and what stands for {name} in it."""
    known = draft.at(root)
    if isinstance(like, str) and like in known:
        return like, filling
    family, _, name = like.partition("/") if isinstance(like, str) else ("", "", "")
    if name and family in known:
        _check_name(name.replace(_NAME, "x" if filling == _NAME else filling))
        return family, name.replace(_NAME, filling)
    raise UnknownEntry(f"like is {like!r}, which the profile does not know; {hint(str(like), known)}")


def _named(name: str, value: Toml) -> Toml:
    if isinstance(value, dict):
        return {key: _named(name, part) for key, part in value.items()}
    if isinstance(value, list):
        return [_named(name, part) for part in value]
    return value.replace(_NAME, name) if isinstance(value, str) else deepcopy(value)


def _check_name(name: str) -> None:
    """Raises UnknownEntry where a name could lead out of the path that it is put into."""
    for step in name.split("/"):
        plain = unquote(step)
        if not _STEP.fullmatch(step) or plain in (".", "..") or _HIDDEN.search(plain):
            raise UnknownEntry(
                f"the name {name!r} cannot stand in a path: expected letters, digits and _ . ~ @ : + , - in parts "
                "between slashes, other signs as %23, and no step such as `..`"
            )
