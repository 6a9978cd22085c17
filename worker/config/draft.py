"""The configuration while it is made: plain TOML values, the place of each, and the problems found so far."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

from worker.config.lines import KeyPath, Toml, dotted
from worker.config.places import Place, Places
from worker.model.errors import Problem

Table = dict[str, Toml]


@dataclass
class Draft:
    """One table of everything, joined from all files, with the place of each key."""

    main: Path
    data: Table = field(default_factory=dict)
    places: Places = field(default_factory=Places)
    problems: list[Problem] = field(default_factory=list)
    whole: bool = True  # every file could be read
    kept: set[str] = field(default_factory=set)  # jobs whose definition is known from an earlier reading
    unfinished: set[KeyPath] = field(default_factory=set)  # tables whose profile could not be put beneath them

    def place(self, path: KeyPath) -> Place:
        """Returns where the value at `path` was written; of what was written nowhere, the nearest table around it."""
        return self.places.near(path) or Place(self.main, None, dotted(path))

    def blame(self, path: KeyPath, message: str) -> None:
        """Notes a problem with the value at `path`; the same problem with the same written key is noted once."""
        place = self.place(path)
        problem = Problem(place.file, place.line, place.key, message)
        if problem not in self.problems:
            self.problems.append(problem)

    def blamed(self, path: KeyPath) -> bool:
        """Tells whether a problem was noted where the value at `path` was written."""
        place = self.place(path)
        return any((place.file, place.line, place.key) == (p.file, p.line, p.key) for p in self.problems)

    def at(self, path: KeyPath) -> Toml:
        """Returns the value at `path`; None where there is none."""
        value: Toml = self.data
        for part in path:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def tables(self, section: str) -> dict[str, Table]:
        """Returns the tables of a section by name, without what is no table."""
        found = self.data.get(section)
        return {name: table for name, table in found.items() if isinstance(table, dict)} if found else {}

    def jobs(self) -> dict[str, Table]:
        """Returns the tables of the jobs that are to be defined: all but those kept."""
        return {name: table for name, table in self.tables("jobs").items() if name not in self.kept}

    def put(self, path: KeyPath, value: Toml, place: Place) -> None:
        """Sets a value with one place for it and all it holds; tables on the way are made."""
        table = self.data
        for part in path[:-1]:
            table = table.setdefault(str(part), {})
        table[str(path[-1])] = value
        self.places[path] = place

    def move(self, source: KeyPath, target: KeyPath) -> None:
        """Notes that what stands at `target` and below it was written at `source`."""
        self.places.move(source, target)

    def fill(self, target: KeyPath, source: KeyPath, write: Callable[[Toml], Toml] = deepcopy) -> None:
        """Puts what the source table holds, as `write` copies it, beneath the target's own keys.

        Own values win, tables are joined; tables whose `kind` differs are not, since their keys mean other things.
        """
        own, given = self.at(target), self.at(source)
        for key, value in given.items():
            if key not in own:
                own[key] = write(value)
                self.move((*source, key), (*target, key))
            elif isinstance(own[key], dict) and isinstance(value, dict) and _same_kind(own[key], value):
                self.fill((*target, key), (*source, key), write)


def _same_kind(own: Table, given: Table) -> bool:
    return "kind" not in own or own["kind"] == given.get("kind")
