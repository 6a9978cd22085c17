"""Durable runs of do-nothing jobs, side by side: the worker, its peers, and the limit, on SQLite and PostgreSQL.

    python -m benchmarks.runs --peer-python PEERS/bin/python [--rounds 3] [--only worker] [--markdown FILE]

The peers need an environment of their own, with the group bench of pyproject.toml:

    python -m venv PEERS && PEERS/bin/pip install --group bench

Each contender is a process of its own, pinned to one CPU, all to the same; PostgreSQL is not. They take turns, and
medians count. Then 10,000 jobs fall due in the same second.
"""

import argparse
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.runs.contenders import BURSTS, RATES, Contender, python_of, run
from benchmarks.runs.spec import Spec, Told
from benchmarks.runs.tables import Key, bursts, rates
from benchmarks.sync.places import Places, places
from benchmarks.sync.spec import command_line
from benchmarks.sync.tables import machine, today

_MARKS = "<!-- benchmarks.runs -->", "<!-- /benchmarks.runs -->"


def measured(contender: Contender, database: str, place: Places, asked: argparse.Namespace, *, pinned: bool) -> Told:
    """Runs a contender once on an empty database, and tells of it at once: the whole takes long."""
    with place.new(database) as (url, folder):
        runs = contender.runs if asked.share == 1.0 else max(int(contender.runs * asked.share) // 1000, 1) * 1000
        spec = Spec(url, str(folder), runs, contender.threads, asked.variant)
        told = run(contender, spec, python_of(contender, asked.peer_python), pinned=pinned)
    where = "pinned" if pinned else "free"
    text = f"{database:11} {contender.name:30} {where:7} {told.runs / told.work_s:9,.0f} runs/s"
    print(text, told.claimed_s, told.started_s, file=sys.stderr, flush=True)
    return told


def turns(chosen: Sequence[Contender], place: Places, asked: argparse.Namespace) -> dict[Key, list[Told]]:
    """Lets the contenders take turns, pinned in each round and free in each; bursts are pinned only."""
    found: dict[Key, list[Told]] = {}
    ways = (True,) if asked.variant == "burst" else (True, False)
    for _ in range(asked.rounds):
        for database in asked.databases:
            for contender in chosen:
                for pinned in ways if database in contender.databases else ():
                    told = measured(contender, database, place, asked, pinned=pinned)
                    found.setdefault(Key(database, contender.name, pinned), []).append(told)
    return found


def report(asked: argparse.Namespace) -> Iterator[str]:
    """Measures everything; yields the lines that tell of it."""
    if not asked.peer_python:
        yield "The peers are left out: name their environment with --peer-python, made as `--help` says."

    def chosen(all_of_them: Sequence[Contender]) -> list[Contender]:
        there = [one for one in all_of_them if asked.peer_python or not one.peer]
        return [one for one in there if not asked.only or one.module in asked.only]

    yield f"{today()}, {machine()}; {asked.rounds} rounds."
    yield f"Made by `{command_line('benchmarks.runs', asked)}`."
    with places(postgres="postgresql" in asked.databases) as place:
        if "rates" in asked.parts:
            asked.variant = ""
            yield from rates(turns(chosen(RATES), place, asked))
        if "burst" in asked.parts:
            asked.variant = "burst"
            yield from bursts(turns(chosen(BURSTS), place, asked), int(BURSTS[0].runs * asked.share))


def arguments() -> argparse.Namespace:
    """Returns what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    modules = sorted({one.module for one in RATES})
    parser.add_argument("--only", action="append", choices=modules, help="may be repeated")
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"], choices=["sqlite", "postgresql"])
    parser.add_argument("--parts", nargs="+", default=["rates", "burst"], choices=["rates", "burst"])
    parser.add_argument("--share", type=float, default=1.0, help="of the runs that each contender gets otherwise")
    parser.add_argument("--peer-python", default="", help="the interpreter of the environment with the peers")
    parser.add_argument("--markdown", type=Path, help="put the tables between this file's two marks, too")
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
        begin, end = _MARKS
        before, _, rest = asked.markdown.read_text().partition(begin)
        asked.markdown.write_text("\n".join([before + begin, *lines, end]) + rest.partition(end)[2])


if __name__ == "__main__":
    main()
