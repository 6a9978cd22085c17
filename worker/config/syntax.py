"""What to do about a document that is not TOML: the fault's line and a hint for the faults that people make."""

import re
from pathlib import Path

from worker.config.lines import faulty_statement
from worker.model.errors import Problem

_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_HINTS: tuple[tuple[str, str], ...] = (
    (r"[\u201c\u201d\u2018\u2019]", "the quotes are typographic ones; write \" or '"),
    (r"[\u00a0\u2000-\u200f\ufeff]", "the line holds an invisible character (a no-break space?); type the line anew"),
    (
        r"^[^#]*=\s*\"[^\"']*\\",
        "a backslash in double quotes begins an escape; write a Windows path in single quotes: 'C:\\folder'",
    ),
    (
        r"^[^#=\"']*=\s*\{[^}]*$",
        "an inline table { ... } ends on the line it begins on; write it on one line, or as a [table] of its own",
    ),
    (r"^\s*[\w.\"-]+\s*:\s", "TOML writes key = value, not key: value"),
    (r"^\s*[\w.\"-]+\s*=\s*(#.*)?$", "a value is missing after the ="),
    (
        r"^\s*[\w.\"-]+\s*=\s*(True|False|None|yes|no|on|off|null)\b",
        "write true or false; leave out a key that has no value",
    ),
    (r"^\s*[\w.\"-]+\s*=\s*[^\s\"'\[{#]", 'text stands in quotes: key = "value"'),
    (r"^\s*\[{1,2}[^\]]*$", "a table's header ends with ]"),
    (r"^[^\"']*[\"'][^\"']*$", "the quote that opens here is not closed on this line"),
)
_TWICE = ("Cannot overwrite a value", "Cannot declare", "Duplicate inline table key", "Cannot mutate")


def syntax_problem(file: Path, text: str, message: str) -> Problem:
    """Returns the problem that tomllib's message tells of, with its line and a hint."""
    place = _PLACE.search(message)
    line = int(place[1]) if place and place[1] else faulty_statement(text)
    plain = _PLACE.sub("", message)
    plain = plain[:1].lower() + plain[1:]
    return Problem(file, line, "", f"this is not TOML: {plain}{_hint(text, line, message)}")


def _hint(text: str, line: int, message: str) -> str:
    if message.startswith(_TWICE):
        return "; the key or table stands in this file twice: keep one"
    lines = text.split("\n")
    written = {line, faulty_statement(text)}  # the fault may lie where the statement began
    for number in sorted(written):
        for pattern, remedy in _HINTS:
            if number <= len(lines) and re.search(pattern, lines[number - 1].rstrip("\r")):
                where = "" if number == line else f" (line {number})"
                return f"; {remedy}{where}"
    return ""
