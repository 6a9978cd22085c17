"""Where each value of a configuration was written: file and line as a person opens them.

Almost nobody asks, and lines are counted only once somebody does: with 10,000 jobs that takes seconds, and the places
of all their keys would take more memory than the jobs.
"""

import zlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Self

from worker.config.lines import KeyPath, dotted, line_index


@dataclass(frozen=True)
class Place:
    """Where a value was written: file and line as a person opens them, key as it stands there."""

    file: Path | None  # None: the environment
    line: int | None  # from 1
    key: str


@dataclass(frozen=True)
class Written:
    """A file as it was written."""

    file: Path
    packed: bytes = field(repr=False)  # its text in UTF-8, by zlib: a twentieth, and kept while the daemon works

    @classmethod
    def of(cls, file: Path, text: str) -> Self:
        """Returns a file with this text."""
        return cls(file, zlib.compress(text.encode(), 1))

    @cached_property
    def lines(self) -> dict[KeyPath, int]:
        """The line of every key, table and element of an array."""
        return line_index(zlib.decompress(self.packed).decode())


class Places:
    """Tells the place of a path; those that were set go before those that the files tell."""

    def __init__(self) -> None:
        self._set: dict[KeyPath, Place] = {}
        self._files: dict[KeyPath, Written] = {}  # by section, or by section and name
        self._moved: dict[KeyPath, KeyPath] = {}  # the earlier path, by the later one

    def adopt(self, table: KeyPath, file: Written) -> None:
        """Says which file a section, or one of its named tables, stands in; what was said first holds."""
        self._files.setdefault(table, file)

    def get(self, path: KeyPath) -> Place | None:
        """Returns where exactly this path was written; None where it was written nowhere."""
        known = self._set.get(path)
        if known is not None or not path:
            return known
        before = self._before(path) if self._moved else None
        if before is not None:
            return self.near(before)
        file = self._files.get(path[:2]) or self._files.get(path[:1])
        line = file.lines.get(path) if file else None
        return Place(file.file, line, dotted(path)) if file and line else None

    def near(self, path: KeyPath) -> Place | None:
        """Returns where this path was written, or the nearest table around it; None where neither was."""
        found = (self.get(path[:length]) for length in range(len(path), 0, -1))
        return next((place for place in found if place is not None), None)

    def file(self, path: KeyPath) -> Path | None:
        """Returns the file of `near`; no line is counted for that."""
        for length in range(len(path), 0, -1):
            known = self._set.get(path[:length])
            before = self._moved.get(path[:length])
            if known is not None or before is not None:
                return known.file if known is not None else self.file(before or ())
        file = self._files.get(path[:2]) or self._files.get(path[:1])
        return file.file if file else None

    def move(self, source: KeyPath, target: KeyPath) -> None:
        """Says that what stands at `target` and below it was written at `source`."""
        self._moved[target] = source

    def _before(self, path: KeyPath) -> KeyPath | None:
        """Returns where a path was before it was moved; None where it was not."""
        for length in range(len(path), 0, -1):
            source = self._moved.get(path[:length])
            if source is not None:
                return (*source, *path[length:])
        return None

    def __contains__(self, path: KeyPath) -> bool:
        return self.get(path) is not None

    def __setitem__(self, path: KeyPath, place: Place) -> None:
        self._set[path] = place
