"""The line index agrees with what was written, for any document that tomllib takes."""

import tomllib
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from worker.config.lines import KeyPath, Toml, dotted, faulty_statement, line_index, undotted

_PARTS = st.sampled_from(["a", "b-1", "x_y", "3", "spaced out", "dotted.name", "umlaut ä", "quote's", "[br]", "#no"])
_SCALARS = st.sampled_from(
    [
        "1",
        "-2.5e3",
        "true",
        '"text"',
        '"with \\" quote # and , ] }"',
        "'literal ] } , #'",
        "1979-05-27 07:32:00",
        '"""one\ntwo ]\n[not.a.header]\n"" three"""',
        "'''first\nkey = 1\nlast'''",
        '""',
        '"""quoted"""""',
        '""""""',
    ]
)


@dataclass
class Written:
    """A document under way: its text, and the line of each key as its writer knows it."""

    text: str = ""
    lines: dict[KeyPath, int] = field(default_factory=dict)

    @property
    def line(self) -> int:
        """The line on which the next character will stand, from 1."""
        return self.text.count("\n") + 1

    def note(self, path: KeyPath) -> None:
        """Notes that the key or element at `path` begins here."""
        self.lines[path] = self.line


def _key(name: str) -> str:
    bare = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return name if bare else f'"{name}"'


def _value(draw: st.DrawFn, out: Written, path: KeyPath, depth: int) -> None:
    shape = draw(st.sampled_from(["scalar", "scalar", "array", "table"])) if depth else "scalar"
    if shape == "array":
        out.text += "["
        for index in range(draw(st.integers(0, 3))):
            out.text += draw(st.sampled_from([" ", "\n  ", " # comment ] \n"]))
            out.note((*path, index))
            _value(draw, out, (*path, index), depth - 1)
            out.text += draw(st.sampled_from([",", " ,", "\n,", ", # and\n"]))
        out.text += draw(st.sampled_from(["]", "\n]", " # end\n]"]))
    elif shape == "table":
        out.text += "{"
        for index, name in enumerate(draw(st.lists(_PARTS, unique=True, max_size=3))):
            out.text += ", " if index else " "
            _pair(draw, out, path, name, depth - 1)
        out.text += " }"
    else:
        out.text += draw(_SCALARS)


def _pair(draw: st.DrawFn, out: Written, table: KeyPath, name: str, depth: int) -> None:
    path: KeyPath = (*table, name)
    out.note(path)
    out.text += _key(name)
    if draw(st.booleans()):
        path = (*path, draw(_PARTS))
        out.note(path)
        out.text += f" . {_key(str(path[-1]))}"
    out.text += draw(st.sampled_from([" = ", "=", "\t=\t"]))
    _value(draw, out, path, depth)


@st.composite
def documents(draw: st.DrawFn) -> Written:
    """Draws documents with tables, arrays of tables, dotted and quoted keys, nested values and comments."""
    out = Written()
    for name in draw(st.lists(_PARTS, unique=True, max_size=3)):
        _pair(draw, out, (), name, 2)
        out.text += draw(st.sampled_from(["\n", " # end\n", "\r\n\r\n"]))
    for number in range(draw(st.integers(0, 4))):
        header: KeyPath = (f"table{number}", draw(_PARTS))
        repeats = draw(st.sampled_from([0, 0, 1, 2]))  # 0: a table, else an array of so many
        for index in range(max(repeats, 1)):
            out.text += draw(st.sampled_from(["", "\n", "# [comment]\n", "  "]))
            for path in (header[:1], header):
                out.lines.setdefault(path, out.line)
            left, right = ("[[", "]]") if repeats else ("[", "]")
            path = (*header, index) if repeats else header
            out.note(path)
            out.text += f"{left}{_key(str(header[0]))}.{_key(str(header[1]))}{right}\n"
            for name in draw(st.lists(_PARTS, unique=True, max_size=3)):
                _pair(draw, out, path, name, 2)
                out.text += "\n"
    return out


@given(documents())
def test_every_key_has_its_line(document: Written) -> None:
    """The index holds exactly the keys that were written, each with the line it was written on."""
    tomllib.loads(document.text)
    assert line_index(document.text) == document.lines


@given(documents())
def test_every_value_of_tomllib_has_a_line(document: Written) -> None:
    """Whatever tomllib reads is found in the index under the same path."""
    index = line_index(document.text)

    def check(value: Toml, path: KeyPath) -> None:
        assert not path or path in index
        parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, part in parts:
            check(part, (*path, key))

    check(tomllib.loads(document.text), ())


@given(st.lists(st.one_of(_PARTS, st.integers(0, 99)), max_size=5))
def test_a_path_is_written_and_read_back(parts: list[str | int]) -> None:
    """A dotted key leads back to the path it was made of."""
    assert undotted(dotted(tuple(parts))) == tuple(parts)


def test_a_table_is_where_its_own_header_stands() -> None:
    """A table first made by a sub-table's header is found at its own header."""
    assert line_index("[a.b]\nx = 1\n[a]\ny = 2\n")[("a",)] == 3


def test_sub_tables_belong_to_the_last_table_of_an_array() -> None:
    """A header below an array of tables adds to its last table."""
    index = line_index("[[a]]\n[[a]]\n[a.b]\nc = 1\n[[a.d]]\n[[a.d]]\n")
    assert index[("a", 1, "b", "c")] == 4
    assert index[("a", 1, "d", 1)] == 6


def test_an_open_list_is_found_where_it_begins() -> None:
    """What is never closed is told by the line of its key, not by the end of the file."""
    assert faulty_statement("a = 1\nb = [\n  1,\n  2\nc = 3\n") == 2
