"""What was measured, as tables: medians of the rounds, least and most beside them."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.runs.spec import Told

_RATES = "| contender | runs/s, pinned (least to most) | worker is faster by | CPU us a run | runs/s, free |"
_BURST = "| database | contender | claimed p50 / p99 / most ms | job's code began p50 / p99 / most ms | missed |"


@dataclass(frozen=True)
class Key:
    """What a figure is of."""

    database: str
    contender: str
    pinned: bool


Results = Mapping[Key, Sequence[Told]]


def _rule(head: str) -> str:
    return "|" + " --- |" * (head.count("|") - 1)


def rates(results: Results) -> Iterator[str]:
    """Yields a table for each database, line by line in Markdown."""
    for database in dict.fromkeys(key.database for key in results):
        yield from ("", f"### Durable runs per second, {database}", "", _RATES, _rule(_RATES))
        ours = _rate(results.get(Key(database, "worker", pinned=True), ()))
        for key, told in results.items():
            if key.database == database and key.pinned:
                yield _line(key, told, ours, _rate(results.get(Key(database, key.contender, pinned=False), ())))


def _rate(told: Sequence[Told]) -> float:
    return statistics.median(one.runs / one.work_s for one in told) if told else 0.0


def _line(key: Key, told: Sequence[Told], ours: float, free: float) -> str:
    each = [one.runs / one.work_s for one in told]
    peer = key.contender != "worker" and "limit" not in key.contender
    cpu_us = statistics.median(one.cpu_s / one.runs for one in told) * 1e6
    cells = [
        key.contender,
        f"{_rate(told):,.0f} ({min(each):,.0f} to {max(each):,.0f})",
        f"{ours / _rate(told):.1f} x" if peer and ours else "",
        f"{cpu_us:,.0f}",
        f"{free:,.0f}" if free else "",
    ]
    return f"| {' | '.join(cells)} |"


def bursts(results: Results, runs: int) -> Iterator[str]:
    """Yields the table of lateness: medians of the rounds."""
    yield from ("", f"### {runs:,} jobs due in the same second, pinned", "", _BURST, _rule(_BURST))
    for key, told in results.items():
        claimed, began = _late([one.claimed_s for one in told]), _late([one.started_s for one in told])
        missed = max(runs - one.runs for one in told)
        yield f"| {key.database} | {key.contender} | {claimed} | {began} | {missed} |"


def _late(spreads: Sequence[tuple[float, ...]]) -> str:
    if not all(spreads):
        return "keeps no record"
    return " / ".join(f"{statistics.median(column) * 1000:,.0f}" for column in zip(*spreads, strict=True))
