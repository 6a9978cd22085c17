# ruff: noqa: INP001  a script beside the pages it draws for
"""Draws docs/demo.svg, the picture in the README: runs the demo and keeps what it shows, shortened in the middle.

Run `.venv/bin/python docs/picture.py` after a change of what the demo shows; it takes half a minute.
"""

import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

_TARGET = Path(__file__).with_name("demo.svg")
_WIDTH = 82
_FIRST, _LAST = 8, 2  # lines of news that are kept
_THEME = TerminalTheme(
    (22, 27, 34),
    (201, 209, 217),
    [
        (72, 79, 88),
        (255, 123, 114),
        (63, 185, 80),
        (210, 153, 34),
        (88, 166, 255),
        (188, 140, 255),
        (57, 197, 207),
        (177, 186, 196),
    ],
)


def main() -> None:
    """Writes the picture; ends with the demo's exit code where that fails."""
    lines = _shown().splitlines()
    canvas = Console(record=True, width=_WIDTH, file=io.StringIO(), force_terminal=True, highlight=False)
    canvas.print(Text("$ ", style="dim") + Text("worker demo", style="bold"))
    for line in _shortened(lines):
        canvas.print(Text.from_ansi(line), soft_wrap=True)
    svg = canvas.export_svg(title="Integration Worker", theme=_THEME)
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # no far host: any fixed-width font will do
    svg = svg.replace("<text ", '<text xml:space="preserve" ')  # else some renderers drop spaces at a line's begin
    _TARGET.write_text(svg.replace("Fira Code,", "Fira Code,DejaVu Sans Mono,Menlo,Consolas,"))


def _shown() -> str:
    """Returns what the demo prints on a terminal."""
    environment = os.environ | {"FORCE_COLOR": "1", "COLUMNS": str(_WIDTH), "TERM": "xterm-256color"}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "worker", "demo"]
        done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603  our own command
    if done.returncode:
        sys.stderr.write(done.stdout)
        sys.exit(done.returncode)
    return done.stdout


def _shortened(lines: list[str]) -> list[str]:
    """Returns the first and the last news, the verdict, and neither calls and tokens nor where to look further."""
    begin = next(number for number, line in enumerate(lines) if "generation 1" in line)
    rest = next(number for number, line in enumerate(lines) if "the far end rests" in line) - 1
    look = next(number for number, line in enumerate(lines) if "look further" in line) - 1
    calls = next(number for number, line in enumerate(lines) if _is_title(line, "calls"))
    rows = next(number for number, line in enumerate(lines) if _is_title(line, "rows"))
    kept = [*lines[: begin + _FIRST], "\x1b[2m  …\x1b[0m", *lines[rest - _LAST : rest]]
    return [*kept, *lines[rest:calls], *lines[rows:look], lines[-1]]


def _is_title(line: str, words: str) -> bool:
    return Text.from_ansi(line).plain.strip() == words


if __name__ == "__main__":
    main()
