"""The transaction that starts an attempt: it takes the locks of job and mutex and becomes the run's only writer."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

import sqlalchemy as sa

from worker.config.configuration import JobDefinition
from worker.model.records import Attempt, AttemptState, Reason, Run, RunState, altered
from worker.runs import holding, quarantine
from worker.runs.book import Book
from worker.runs.ending import close
from worker.runs.outcome import Outcome
from worker.store import accounts, attempts, batches, locks, runrows, runs

_NONE: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True)
class Started:
    """An attempt that may begin its work; `run.attempt` is its number, and it goes by this definition to its end."""

    run: Run
    definition: JobDefinition
    failures: Mapping[str, int]  # failed attempts of this run before it, by kind of error


class Start(NamedTuple):
    """A run that is to start, as `start` is told."""

    book: Book
    run_id: int
    node_id: int
    now: datetime
    known: Run | None = None  # as this node recorded it; else its row is read


class _First(NamedTuple):
    """A run whose first attempt may start, for all that is known, and what is to be written of it."""

    run: Run
    job: JobDefinition
    beginning: batches.Beginning

    def started(self, since: datetime | None) -> Started:
        """Returns it with its attempt begun."""
        news = {
            "state": RunState.RUNNING,
            "attempt": 1,
            "started_at": self.beginning.started_at,
            "window_since": since,
            "window_until": self.beginning.window_until,
            "not_before": None,
            "reason": None,
            "definition_hash": self.job.hash,
        }
        return Started(altered(self.run, news), self.job, _NONE)


def start_many(connection: sa.Connection, asked: Sequence[Start]) -> list[Started | None]:
    """Starts many runs: first attempts that have their locks in a handful of statements, all others one by one."""
    read = runs.of_ids(connection, [one.run_id for one in asked if one.known is None])
    paused = accounts.paused(connection)
    firsts: dict[int, _First] = {}
    for one in asked:
        if first := _first(one, one.known or read.get(one.run_id), paused):
            firsts.setdefault(one.run_id, first)
    since = batches.start(connection, [first.beginning for first in firsts.values()])
    plain = {run_id: firsts[run_id].started(moment) for run_id, moment in since.items()}
    read |= runs.of_ids(connection, [run_id for run_id in firsts.keys() - since.keys() if run_id not in read])
    over = {run.id for run in read.values() if run.state.ended}
    return [
        plain.pop(one.run_id, None)
        or (None if one.run_id in over else start(connection, one.book, one.run_id, one.node_id, one.now))
        for one in asked
    ]


def _first(asked: Start, run: Run | None, paused: frozenset[str]) -> _First | None:
    """Returns a run that may start as most do; None where more is to be looked at."""
    job = asked.book.get(run.job) if run else None
    if run is None or job is None or run.attempt or run.state.ended or (run.not_before and run.not_before > asked.now):
        return None
    if paused and job.accounts & paused:
        return None
    until = run.window_until or run.tick or run.created_at
    follows = run.trigger not in runrows.HELD
    beginning = batches.Beginning(run.id, asked.node_id, asked.now, run.window_since, until, follows, job.hash)
    return _First(run, job, beginning)


def start(connection: sa.Connection, book: Book, run_id: int, node_id: int, now: datetime) -> Started | None:
    """Starts the next attempt of a queued run; None where it is not to be run here and now.

    Of nodes that ask at once the first gets it. Asked again after an unknown commit, with the same `now`, it finds its
    own attempt and returns it.
    """
    run = runs.free(connection, run_id)
    if run is None or run.state.ended or (run.not_before and run.not_before > now):
        return None
    before = attempts.of_run(connection, run_id)
    job = book.get(run.job)
    if run.state is RunState.RUNNING:
        return _begun(run, job, before) if job and before and _is_ours(before[-1], node_id, now) else None
    if job is None and not holding.is_known(connection, run.job):
        close(connection, book, run, RunState.SKIPPED, now, Outcome(AttemptState.SKIPPED, Reason.REMOVED))
        return None
    if job is None or holding.is_held(connection, job, run):
        locks.release(connection, run.id, [name for name in locks.of_run(run) if name != locks.job_lock(run.job)])
        return None
    if not _holds(connection, run, [locks.LAST_CHANCE] if quarantine.is_last_chance(before) else [], now):
        return None
    number = run.attempt + 1
    attempts.begin(connection, run_id, number, node_id, now)
    runs.begin(connection, run_id, number, now, job.hash)
    begun = runs.get(connection, run_id)
    return _begun(begun, job, before) if begun else None


def _holds(connection: sa.Connection, run: Run, more: list[str], now: datetime) -> bool:
    """Takes the locks the run needs; where one is another run's it waits, and keeps its job's lock alone."""
    wanted = [*locks.of_run(run), *more]
    holders = locks.take(connection, [(name, run.id) for name in wanted], now)
    if all(holders.get(name) == run.id for name in wanted):
        return True
    if wanted[1:]:
        locks.release(connection, run.id, wanted[1:])
    return False


def _is_ours(attempt: Attempt, node_id: int, now: datetime) -> bool:
    return (attempt.node_id, attempt.started_at, attempt.state) == (node_id, now, AttemptState.RUNNING)


def _begun(run: Run, job: JobDefinition, before: list[Attempt]) -> Started:
    failed = (one for one in before if one.state is AttemptState.FAILED and one.number < run.attempt)
    return Started(run, job, Counter(one.error_kind or "" for one in failed))
