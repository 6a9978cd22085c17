"""A whole sync, side by side: the worker, its peers, and the limit, over HTTP into SQLite and PostgreSQL.

    python -m benchmarks.sync --peer-python PEERS/bin/python [--rounds 3] [--only worker,limit] [--markdown FILE]

The peers need an environment of their own, with the group bench of pyproject.toml:

    python -m venv PEERS && PEERS/bin/pip install --group bench

Each contender is a process of its own and moves the same records from one server, a process too. They take turns, and
medians count. Work is the wall time after imports; for the worker from the request for a run to its recorded end.
"""

import argparse
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.sync.contenders import CONTENDERS, Contender, Figures, python_of, run
from benchmarks.sync.places import Places, places
from benchmarks.sync.spec import Spec, command_line
from benchmarks.sync.tables import Cell, Results, machine, tables, today

_CHANGES = 20  # changed pages a round
_MORE = 10  # times the rows, to see whether memory grows
_ROOT = Path(__file__).parents[2]


@contextmanager
def far_end(rows: int, pages: int) -> Iterator[str]:
    """Starts the server and yields its URL."""
    command = [sys.executable, "-m", "benchmarks.sync.server", "--rows", str(rows), "--pages", str(pages)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True, cwd=_ROOT) as process:  # type: ignore[call-overload]  # noqa: S603  ourselves
        yield process.stdout.readline().strip()


def measure(contender: Contender, base: Spec, place: Places, asked: argparse.Namespace, results: Results) -> None:
    """Runs a contender through each cell once and adds its figures; a peer that fails is told of and left out."""
    python = python_of(contender, asked.peer_python)
    for database in asked.databases:
        for latency in asked.latency:
            if latency and asked.waiting and contender.name not in asked.waiting:
                continue
            ahead = contender.ahead[1 if latency else 0]
            with place.new(database) as (url, folder):
                spec = Spec(f"{base.url}/l{latency}", url, base.rows, base.pages, ahead, str(folder))
                for again in (False, True) if database in contender.again else (False,):
                    changes = _CHANGES if again and contender.changes and not latency else 0
                    cell = Cell(database, latency, again)
                    try:
                        figures = run(contender, Spec(**{**vars(spec), "changes": changes}), python)
                    except RuntimeError as error:
                        if not contender.peer:
                            raise
                        print(f"{cell.title:55} {contender.name:22} left out: {error}", file=sys.stderr, flush=True)
                        break
                    results.setdefault(cell, {}).setdefault(contender.name, []).append(figures)
                    say(cell, contender, figures)


def say(cell: Cell, contender: Contender, figures: Figures) -> None:
    """Tells of one run at once: the whole takes long."""
    text = f"{cell.title:55} {contender.name:22} work {figures.work_s:6.2f} s  CPU {figures.cpu_s:6.2f} s"
    print(text, file=sys.stderr, flush=True)


def memory(asked: argparse.Namespace, place: Places) -> Iterator[str]:
    """Yields a table of the daemon's memory at its most, for the rows asked for and ten times as many."""
    worker = next(one for one in CONTENDERS if one.name == "worker")
    yield from ("", "### The daemon's memory at its most", "", "| database | rows | MB |", "| --- | --- | --- |")
    for times in (1, _MORE):
        rows, pages = asked.rows * times, asked.pages * times
        with far_end(rows, pages) as url:
            for database in asked.databases:
                with place.new(database) as (target, folder):
                    spec = Spec(f"{url}/l0", target, rows, pages, worker.ahead[0], str(folder))
                    yield f"| {database} | {rows:,} | {run(worker, spec, sys.executable).peak_mb:.0f} |"


def report(asked: argparse.Namespace) -> Iterator[str]:
    """Measures everything; yields the lines that tell of it."""
    chosen = [one for one in CONTENDERS if not asked.only or one.name in asked.only]
    if not asked.peer_python:
        chosen = [one for one in chosen if not one.peer]
        yield "The peers are left out: name their environment with --peer-python, made as `--help` says."
    results: Results = {}
    yield f"{today()}, {machine()}; {asked.rows:,} records of 15 fields in {asked.pages} pages, {asked.rounds} rounds."
    yield f"Made by `{command_line('benchmarks.sync', asked)}`."
    with places(postgres="postgresql" in asked.databases) as place:
        with far_end(asked.rows, asked.pages) as url:
            base = Spec(url, "", asked.rows, asked.pages, 0, "")
            for _ in range(asked.rounds):
                for contender in chosen:
                    measure(contender, base, place, asked, results)
        yield from tables(dict(sorted(results.items(), key=lambda one: one[0].title)), asked.rows)
        if asked.memory:
            yield from memory(asked, place)


def arguments() -> argparse.Namespace:
    """Returns what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--pages", type=int, default=200, help="how many pages; the rows are shared out among them")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", action="append", choices=[one.name for one in CONTENDERS], help="may be repeated")
    parser.add_argument(
        "--waiting", action="append", choices=[one.name for one in CONTENDERS], help="who is measured with latency, too"
    )
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"], choices=["sqlite", "postgresql"])
    parser.add_argument("--latency", type=int, nargs="+", default=[0, 50], metavar="MS", help="of each page")
    parser.add_argument(
        "--peer-python", default="", help="the interpreter of the environment with dlt and Singer's SDK"
    )
    parser.add_argument("--memory", action="store_true", help="also measure the daemon's memory, to ten times the rows")
    parser.add_argument("--markdown", type=Path, help="write the tables into this file, too, below its first heading")
    return parser.parse_args()


def main() -> None:
    """Measures, prints, and writes the page where asked."""
    asked = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # else PostgreSQL would outlive us
    lines = []
    for line in report(asked):
        print(line, flush=True)
        lines.append(line)
    if asked.markdown:
        write(asked.markdown, lines)


def write(path: Path, lines: list[str]) -> None:
    """Puts the lines in place of those between the page's two marks."""
    begin, end = "<!-- benchmarks.sync -->", "<!-- /benchmarks.sync -->"
    text = path.read_text()
    before, _, rest = text.partition(begin)
    after = rest.partition(end)[2]
    path.write_text("\n".join([before + begin, *lines, end]) + after)


if __name__ == "__main__":
    main()
