"""The table of traps and their tests say the same."""

import re
from pathlib import Path

_HERE = Path(__file__).parent
_NAME = re.compile(r"`(\d_\d_\w+)`")


def test_each_trap_of_the_table_has_its_tests_and_each_test_its_line() -> None:
    """Names in the last column, and functions here."""
    listed = _NAME.findall((_HERE / "README.md").read_text())
    written = "\n".join(one.read_text() for one in _HERE.glob("test_*.py"))
    there = re.findall(r"^def test_(\d_\d_\w+)", written, re.MULTILINE)
    assert sorted(listed) == sorted(there)
