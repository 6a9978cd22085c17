"""The line of every key of a TOML document, which tomllib does not tell."""

import re
from bisect import bisect_right
from contextlib import suppress
from typing import Any

Toml = Any  # what a TOML document holds: tables, lists, text, numbers, truths, dates, times
KeyPath = tuple[str | int, ...]  # names of tables and keys; numbers count within arrays, from 0

_BLANK = re.compile(r"[ \t]*")
_GAP = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BARE_VALUE = re.compile(r"[^,\]}#\r\n]*")
_TEXT = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?:"{0,2})'  # up to two quotes may stand before the closing three
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)", re.DOTALL)
_ESCAPED = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b"}


def dotted(path: KeyPath) -> str:
    """Returns a path as a person types it: `jobs."a.b".paging[0]`; names that are no bare keys are quoted."""
    written = ""
    for part in path:
        if isinstance(part, int):
            written += f"[{part}]"
        else:
            written += ("." if written else "") + (part if _BARE_KEY.fullmatch(part) else f'"{part}"')
    return written


_PART = re.compile(r'"([^"]*)"|\[(\d+)\]|([^.\[\]"]+)')


def undotted(key: str) -> KeyPath:
    """Returns the path that `dotted` wrote."""
    return tuple(int(m[2]) if m[2] else m[1] or m[3] or "" for m in _PART.finditer(key))


def line_index(text: str) -> dict[KeyPath, int]:
    """Returns the line, from 1, of every key, table and element of an array in a valid TOML document."""
    scanner = _Scanner(text)
    scanner.document()
    return scanner.lines


def faulty_statement(text: str) -> int:
    """Returns the line on which the first statement begins that is not whole, else the last statement's."""
    scanner = _Scanner(text)
    with suppress(_NotTomlError):
        scanner.document()
    return scanner.statement


class _NotTomlError(Exception):
    """The scanner met what no valid document holds."""


class _Scanner:
    """Reads along a document and notes where each key stands; values are skipped, not understood."""

    def __init__(self, text: str) -> None:
        self.lines: dict[KeyPath, int] = {}
        self.statement = 1
        self._text = text
        self._at = 0
        self._starts = [0, *(m.end() for m in re.finditer("\n", text))]
        self._counts: dict[KeyPath, int] = {}  # how many tables each array of tables has so far

    def document(self) -> None:
        """Reads statement after statement; raises _NotTomlError."""
        table: KeyPath = ()
        self._skip(_GAP)
        while self._at < len(self._text):
            self.statement = self._line()
            if self._text.startswith("[[", self._at):
                table = self._header("[[", "]]")
            elif self._text.startswith("[", self._at):
                table = self._header("[", "]")
            else:
                self._pair(table)
            self._skip(_GAP)

    def _header(self, left: str, right: str) -> KeyPath:
        line = self._line()
        self._take(left)
        names = self._names()
        self._take(right)
        path: KeyPath = ()
        for name in names[:-1]:
            path = self._latest((*path, name))
            self.lines.setdefault(path, line)
        path = (*path, names[-1])
        if left == "[":
            self.lines.pop(path, None)  # where a sub-table came first, the table's own header is its place
        self.lines.setdefault(path, line)
        if left == "[":
            return path
        number = self._counts[path] = self._counts.get(path, -1) + 1
        self.lines[(*path, number)] = line
        return (*path, number)

    def _latest(self, path: KeyPath) -> KeyPath:
        """Returns the path itself, or that of the last table where it names an array of tables."""
        return (*path, self._counts[path]) if path in self._counts else path

    def _pair(self, table: KeyPath) -> None:
        line = self._line()
        path = table
        for name in self._names():
            path = (*path, name)
            self.lines.setdefault(path, line)
        self._take("=")
        self._value(path)

    def _names(self) -> list[str]:
        names = [self._name()]
        while self._text.startswith(".", self._at):
            self._at += 1
            names.append(self._name())
        return names

    def _name(self) -> str:
        self._skip(_BLANK)
        quoted = self._text.startswith(('"', "'"), self._at)
        found = self._match(_TEXT if quoted else _BARE_KEY)
        self._skip(_BLANK)
        if not quoted:
            return found
        return _ESCAPE.sub(_unescaped, found[1:-1]) if found[0] == '"' else found[1:-1]

    def _value(self, path: KeyPath) -> None:
        self._skip(_BLANK)
        first = self._text[self._at : self._at + 1]
        if first == "[":
            self._array(path)
        elif first == "{":
            self._inline_table(path)
        else:
            self._match(_TEXT if first in ('"', "'") else _BARE_VALUE)

    def _array(self, path: KeyPath) -> None:
        self._take("[")
        number = 0
        while not self._closes("]"):
            self.lines[(*path, number)] = self._line()
            self._value((*path, number))
            number += 1
            self._comma("]")

    def _inline_table(self, path: KeyPath) -> None:
        self._take("{")
        while not self._closes("}"):
            self._pair(path)
            self._comma("}")

    def _closes(self, mark: str) -> bool:
        self._skip(_GAP)
        if not self._text.startswith(mark, self._at):
            return False
        self._at += 1
        return True

    def _comma(self, closing: str) -> None:
        self._skip(_GAP)
        if not self._text.startswith(closing, self._at):
            self._take(",")

    def _take(self, mark: str) -> None:
        if not self._text.startswith(mark, self._at):
            raise _NotTomlError
        self._at += len(mark)

    def _skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self._text, self._at)
        self._at = found.end() if found else self._at

    def _match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if found is None or not found[0]:
            raise _NotTomlError
        self._at = found.end()
        return found[0]

    def _line(self) -> int:
        return bisect_right(self._starts, self._at)


def _unescaped(match: re.Match[str]) -> str:
    code = match[1]
    return chr(int(code[1:], 16)) if code[0] in "uU" and len(code) > 1 else _ESCAPED.get(code, code)
