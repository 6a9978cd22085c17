"""Listings at any width: what gives way, what stays whole, and what goes below its row."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from worker.cli.tables import Column, lines

_ID = 250_696_888_751_087_767
_COLUMNS = [
    Column("id", "run", right=True),
    Column("job"),
    Column("read", right=True, rank=2),
    Column("written", right=True, rank=1),
    Column("url", long=True, cut=True),
    Column("error", long=True, style="red"),
]
_ROWS: list[dict[str, Any]] = [
    {"id": _ID, "job": "devices", "read": 12, "written": 7, "url": "https://example.com/" + "x" * 200, "error": None},
    {"id": _ID + 1, "job": "a", "read": None, "written": 0, "url": "u", "error": "it failed " * 20},
]
_WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
_CELLS = st.fixed_dictionaries({"id": st.just(_ID), "job": st.just("devices"), "read": st.integers(0, 10**9)})
_TEXTS = st.fixed_dictionaries({"url": st.none() | _WORDS, "error": st.none() | _WORDS})
_ROW = st.builds(lambda cells, texts: cells | texts, _CELLS, _TEXTS)


def plain(rows: list[dict[str, Any]], width: int) -> list[str]:
    """Returns the lines as text."""
    return [line.plain for line in lines(rows, _COLUMNS, width)]


@given(st.lists(_ROW, min_size=1, max_size=5), st.integers(40, 200))
@example([{"id": _ID, "job": "devices", "read": 1, "url": "界" * 90, "error": "界 " * 90}], 61)
def test_no_line_is_wider_than_the_terminal(rows: list[dict[str, Any]], width: int) -> None:
    """Whatever the texts, no line is too wide, every id stands whole, and no line can steer the terminal."""
    shown = plain(rows, width)
    assert max(map(cell_len, shown)) <= width
    assert sum(str(_ID) in line for line in shown) >= len(rows)
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for line in shown for character in line)


def test_lesser_columns_go_first() -> None:
    """The highest rank goes first, and rank 0 never."""
    heads = [plain(_ROWS, width)[0].split() for width in (60, 41, 35, 10)]
    assert heads[0][:4] == ["run", "job", "read", "written"]
    assert heads[1][:3] == ["run", "job", "written"]
    assert heads[2] == heads[3] == ["run", "job"]


def test_long_texts_go_below_or_aside() -> None:
    """Beside the row where all of them fit; else below it, a URL on one line and a sentence on as many as it takes."""
    wide, narrow = plain(_ROWS, 1000), plain(_ROWS, 80)
    assert len(wide) == 3
    assert _ROWS[0]["url"] in wide[1]
    assert _ROWS[1]["error"].strip() in wide[2]
    below = [line.strip() for line in narrow if line.startswith("    ") and "failed" in line]
    assert " ".join(below) == _ROWS[1]["error"].strip()
    assert sum("https://" in line for line in narrow) == 1
    assert any(line.endswith("…") for line in narrow)


def test_what_nobody_has_is_no_column() -> None:
    """A column with a rank, or a long one, is left out where no row has a value for it."""
    (head, _) = plain([{"id": 1, "job": "a"}], 200)
    assert head.split() == ["run", "job"]


@pytest.mark.parametrize("width", [80, 1_000_000])
def test_numbers_stand_right(width: int) -> None:
    """Digits of one column end at the same place."""
    head, first, *_ = plain([{"id": 5, "job": "a", "read": 7}, {"id": 123_456, "job": "b", "read": 1000}], width)
    assert head.index("run") + 3 == first.index("5") + 1 == 6
