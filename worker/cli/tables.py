"""Listings that stay clean at any width: lesser columns go first, long texts go below their row, ids stay whole."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from worker.cli.output import harmless, out, print_json

_GAP = 2
_INDENT = 4  # of what stands below its row
_READABLE = 32  # a text that is cut stands beside its row only where it keeps so many columns
_ENDLESS = 1_000_000  # columns of a file or a pipe

STYLES = {
    "succeeded": "green",
    "fresh": "green",
    "running": "cyan",
    "queued": "cyan",
    "skipped": "yellow",
    "missed": "yellow",
    "cancelled": "yellow",
    "stale": "yellow",
    "degraded": "yellow",
    "paused": "yellow",
    "quarantined": "red",
    "disabled": "dim",
    "failed": "red",
    "lost": "red",
    "blocked": "red",
    "needs_login": "red",
    "undecryptable": "red",
}


@dataclass(frozen=True)
class Column:
    """One column of a listing: its key in a row, its title, and how the value becomes text."""

    key: str
    title: str = ""
    show: Callable[[Any], str] = str
    right: bool = False
    rank: int = 0  # 0 stays at any width; of the others the highest is left out first, and one that is empty
    long: bool = False  # may hold a sentence: stands last, or below its row, and only where some row has it
    cut: bool = False  # a long one that is cut to what one line holds
    style: str = ""

    def cell(self, row: Mapping[str, Any]) -> str:
        """Returns the text of one row's value, on one line, secrets masked."""
        value = row.get(self.key)
        return "" if value is None else " ".join(harmless(self.show(value)).split())


def listing(rows: Sequence[Mapping[str, Any]], columns: Sequence[Column], *, as_json: bool, empty: str) -> None:
    """Prints rows as a table or, with every field they have, as a JSON array; `empty` is said where there are none."""
    if as_json:
        print_json(list(rows))
    elif not rows:
        out.print(empty, style="dim")
    else:
        for line in lines(rows, columns, _width()):
            out.print(line, soft_wrap=True)


def paragraph(text: str, indent: int = 0, style: str = "") -> None:
    """Prints a text as wide as the terminal, secrets masked; in a pipe as one line."""
    room = max(_width() - indent, _READABLE)
    for part in Text(" ".join(harmless(text).split())).wrap(out, room, overflow="fold"):
        out.print(Text(" " * indent + part.plain.rstrip(), style=style), soft_wrap=True)


def _width() -> int:
    """Returns the terminal's width, or COLUMNS where it is set; what reads a pipe wants a row on one line."""
    return out.width if out.is_terminal or "COLUMNS" in os.environ else _ENDLESS


def lines(rows: Sequence[Mapping[str, Any]], columns: Sequence[Column], width: int) -> list[Text]:
    """Returns the lines of a table that is at most `width` wide, as far as its columns of rank 0 allow."""
    cells = {column.key: [column.cell(row) for row in rows] for column in columns}
    told = [column for column in columns if any(cells[column.key]) or not (column.rank or column.long)]
    table = _Table(cells, [column for column in told if not column.long])
    table.narrow(width)
    texts = [column for column in told if column.long]
    below = [column for column in texts if not table.took(column, width)]
    printed = [table.head()]
    for number in range(len(rows)):
        printed.append(table.row(number))
        for column in below:
            printed += _below(column, cells[column.key][number], width)
    return printed


def _below(column: Column, text: str, width: int) -> list[Text]:
    room = max(width - _INDENT, _READABLE)
    parts = [Text(_cut(text, room))] if column.cut else Text(text).wrap(out, room, overflow="fold")
    return [Text(" " * _INDENT + part.plain.rstrip(), style=column.style or "dim") for part in parts if part]


def _cut(text: str, width: int) -> str:
    return text if cell_len(text) <= width else set_cell_size(text, width - 1) + "…"


class _Table:
    """The columns that stand side by side, and how wide each is."""

    def __init__(self, cells: Mapping[str, list[str]], columns: list[Column]) -> None:
        self._cells = cells
        self._columns = columns
        self._widths = {key: max(map(cell_len, texts)) for key, texts in cells.items()}
        for column in columns:
            self._widths[column.key] = max(self._widths[column.key], cell_len(column.title or column.key))

    def _used(self) -> int:
        return sum(self._widths[column.key] + _GAP for column in self._columns) - _GAP

    def narrow(self, width: int) -> None:
        """Leaves out columns until the others fit."""
        while self._used() > width and (least := max(self._columns, key=lambda column: column.rank)).rank:
            self._columns.remove(least)

    def took(self, column: Column, width: int) -> bool:
        """Takes a long column to the side, where it fits; False where it does not."""
        longest = max(self._widths[column.key], cell_len(column.title or column.key))
        room = width - self._used() - _GAP
        if longest > room and not (column.cut and room >= _READABLE):
            return False
        self._widths[column.key] = min(longest, room)
        self._columns.append(column)
        return True

    def head(self) -> Text:
        """Returns the line of titles."""
        return self._joined([Text(column.title or column.key, style="bold") for column in self._columns])

    def row(self, number: int) -> Text:
        """Returns one line."""
        texts = [
            Text(_cut(text, self._widths[column.key]), style=STYLES.get(text, column.style))
            for column in self._columns
            for text in [self._cells[column.key][number]]
        ]
        return self._joined(texts)

    def _joined(self, texts: list[Text]) -> Text:
        line = Text()
        for column, text in zip(self._columns, texts, strict=True):
            padding = " " * (self._widths[column.key] - text.cell_len)
            line += Text(padding) + text if column.right else text + Text(padding)
            line += Text(" " * _GAP)
        line.rstrip()
        return line
