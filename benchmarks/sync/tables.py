"""What was measured, as tables: medians of the rounds, least and most beside them."""

import os
import platform
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from benchmarks.sync.contenders import Figures

LIMITS = {0: "limit", 50: "limit, 4 pages ahead"}  # milliseconds of latency: what the others are compared with
_HEAD = "| contender | work s (least to most) | x limit | worker is faster by | rows/s | process s | CPU s | MB |"


@dataclass(frozen=True)
class Cell:
    """One table: a database, a latency in milliseconds, first load or re-run."""

    database: str
    latency: int
    again: bool

    @property
    def title(self) -> str:
        """The table's heading."""
        what = "re-run, nothing changed" if self.again else "first load"
        return f"{self.database}, {what}, {self.latency} ms per page"


Results = dict[Cell, dict[str, list[Figures]]]


def machine() -> str:
    """Returns what it was measured on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()}, Python {platform.python_version()}"


def tables(results: Results, rows: int) -> Iterator[str]:
    """Yields a table for each cell, then the changed pages, line by line in Markdown."""
    for cell, found in results.items():
        yield from ("", f"### {cell.title}", "", _HEAD, "|" + " --- |" * (_HEAD.count("|") - 1))
        yield from (_line(name, figures, found, cell, rows) for name, figures in found.items())
    changes = [(cell, name, figures) for cell, found in results.items() for name, figures in found.items()]
    changes = [one for one in changes if any(figures.changes_s for figures in one[2])]
    if changes:
        yield from ("", "### One changed page into the full table", "")
        yield from ("| database | contender | median ms (least to most) |", "| --- | --- | --- |")
        yield from (_changes(cell, name, figures) for cell, name, figures in changes)


def _line(name: str, figures: Sequence[Figures], found: dict[str, list[Figures]], cell: Cell, rows: int) -> str:
    work = [one.work_s for one in figures]
    median = statistics.median(work)
    limit, ours = _median(found, LIMITS[min(LIMITS, key=lambda ms: abs(ms - cell.latency))]), _median(found, "worker")
    cells = [
        name,
        f"{median:.2f} ({min(work):.2f} to {max(work):.2f})",
        f"{median / limit:.2f}" if limit else "",
        f"{median / ours:.1f} x" if ours and name != "worker" and "limit" not in name else "",
        f"{rows / median:,.0f}",
        f"{statistics.median(one.process_s for one in figures):.2f}",
        f"{statistics.median(one.cpu_s for one in figures):.2f}",
        f"{max(one.peak_mb for one in figures):.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def _median(found: dict[str, list[Figures]], name: str) -> float:
    return statistics.median(one.work_s for one in found[name]) if name in found else 0.0


def _changes(cell: Cell, name: str, figures: Sequence[Figures]) -> str:
    times = [seconds * 1000 for one in figures for seconds in one.changes_s]
    spread = f"{min(times):.0f} to {max(times):.0f}"
    return f"| {cell.database} | {name} | {statistics.median(times):.0f} ({spread}) |"


def today() -> str:
    """Returns the date, in UTC."""
    return f"{datetime.now(UTC):%Y-%m-%d}"
