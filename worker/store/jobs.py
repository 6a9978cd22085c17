"""Tables `jobs` and `definitions`: what is configured, and how far each schedule has been accounted for."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

import sqlalchemy as sa

from worker.store.dialect import in_parts, insert_new, upsert
from worker.store.many import among, binding, changing
from worker.store.tables import definitions, jobs

WORKER = "worker"  # who pauses a job that is put into quarantine


@dataclass(frozen=True)
class JobRow:
    """One row of `jobs`."""

    name: str
    definition_hash: str
    enabled: bool
    since: datetime  # ticks before this are none of ours
    configured: bool = True
    paused_by: str | None = None
    paused_at: datetime | None = None
    last_tick: datetime | None = None
    next_tick: datetime | None = None
    paused_why: str | None = None
    quarantined_at: datetime | None = None
    resumed_at: datetime | None = None  # deaths before it no longer count

    @property
    def accounted(self) -> datetime:
        """The moment up to which every tick has a row."""
        return max(self.last_tick, self.since) if self.last_tick else self.since


_COLUMNS = [jobs.c[item.name] for item in fields(JobRow)]
_ONE = sa.select(*_COLUMNS).where(jobs.c.name == sa.bindparam("of_name"))
_ANNOUNCE = sa.update(jobs).where(jobs.c.name == sa.bindparam("of_name")).values(next_tick=sa.bindparam("tick"))
_TICKED = changing(
    jobs,
    "last_tick = given.last_tick",
    ["of_name", "last_tick", "of_last_tick"],
    "name = given.of_name AND (jobs.last_tick IS NULL OR jobs.last_tick < given.last_tick "
    "OR jobs.last_tick > given.of_last_tick)",
)


@dataclass(frozen=True)
class Definition:
    """What a job's configuration said, found again by its hash."""

    hash: str
    text: str
    first_seen: datetime


_KEPT = ("since", "paused_by", "paused_at", "paused_why", "quarantined_at", "resumed_at", "last_tick")


def configure(
    connection: sa.Connection,
    rows: Sequence[JobRow],
    texts: Sequence[Definition],
    rescheduled: Collection[str] = frozenset(),
) -> None:
    """Makes the table say what the configuration says; pauses and last ticks are kept. Rows that say so are left alone.

    `since` is kept too, except for jobs that were away or not enabled, and for those that another schedule drives from
    now on: what either would have made of the time before is none of ours.
    """
    query = sa.select(jobs.c.name, jobs.c.definition_hash, jobs.c.enabled, jobs.c.configured)
    known = {row.name: row for row in connection.execute(query)}
    news = sorted((row for row in rows if not _says(known.get(row.name), row)), key=lambda row: row.name)
    awake = {name for name, row in known.items() if row.enabled and row.configured}
    names = {row.name for row in rows}
    _take_out(connection, sorted(name for name, row in known.items() if row.configured and name not in names))
    insert_new(connection, definitions, [vars(text) for text in texts])
    upsert(connection, jobs, [vars(row) for row in news], keep=_KEPT)
    for row in rows:
        if row.name in known and (row.name in rescheduled or row.name not in awake):
            connection.execute(sa.update(jobs).where(jobs.c.name == row.name).values(since=row.since))


def _says(found: sa.Row[Any, Any, Any, Any] | None, row: JobRow) -> bool:
    return found is not None and tuple(found)[1:] == (row.definition_hash, row.enabled, row.configured)


def _take_out(connection: sa.Connection, names: Sequence[str]) -> None:
    for part in in_parts(names):
        gone = sa.update(jobs).where(jobs.c.name.in_(part)).values(configured=False, next_tick=None)
        connection.execute(gone)


def get(connection: sa.Connection, name: str) -> JobRow | None:
    """Returns one job, configured or not."""
    row = connection.execute(_ONE, {"of_name": name}).first()
    return JobRow(*row) if row else None


def defined_at(connection: sa.Connection, definition_hash: str) -> datetime | None:
    """Returns when a definition was first seen."""
    return connection.scalar(sa.select(definitions.c.first_seen).where(definitions.c.hash == definition_hash))


def seen(connection: sa.Connection) -> set[str]:
    """Returns the hash of every definition that is known."""
    return set(connection.scalars(sa.select(definitions.c.hash)))


def defined(connection: sa.Connection) -> dict[str, Definition]:
    """Returns what each configured job is defined as, by name."""
    query = sa.select(jobs.c.name, definitions).join(definitions, definitions.c.hash == jobs.c.definition_hash)
    rows = connection.execute(query.where(jobs.c.configured)).mappings()
    return {row["name"]: Definition(row["hash"], row["text"], row["first_seen"]) for row in rows}


def listing(connection: sa.Connection) -> list[JobRow]:
    """Returns every job that is configured, by name."""
    query = sa.select(jobs).where(jobs.c.configured).order_by(jobs.c.name)
    return [JobRow(**row) for row in connection.execute(query).mappings()]


def locked(connection: sa.Connection, names: Sequence[str]) -> dict[str, JobRow]:
    """Returns the rows of the given jobs, locked in name order until the transaction ends."""
    rows = connection.execute(_locked(connection.dialect.name), {"names": list(names)})
    return {row[0]: JobRow(*row) for row in rows}


@cache
def _locked(dialect: str) -> sa.Select[Any]:
    query = sa.select(*_COLUMNS).where(among(dialect, jobs.c.name, "names"))
    return query.order_by(jobs.c.name).with_for_update()


class JobStanding(NamedTuple):
    """What a claim asks of a job's row."""

    last_tick: datetime | None
    paused_at: datetime | None
    quarantined_at: datetime | None


def standing(connection: sa.Connection, names: Sequence[str]) -> dict[str, JobStanding]:
    """Returns how the given jobs stand, their rows locked in name order until the transaction ends."""
    rows = connection.execute(_standing(connection.dialect.name), {"names": list(names)})
    return {row[0]: JobStanding(*row[1:]) for row in rows}


@cache
def _standing(dialect: str) -> sa.Select[Any]:
    query = sa.select(jobs.c.name, *(jobs.c[name] for name in JobStanding._fields))
    return query.where(among(dialect, jobs.c.name, "names")).order_by(jobs.c.name).with_for_update()


def ticked(connection: sa.Connection, ticks: Mapping[str, datetime], latest: datetime) -> None:
    """Moves each job's last tick forward, and back only where it is beyond `latest`, set by a clock that was wrong.

    In name order, so that two nodes never wait for each other.
    """
    bound = binding(connection)
    beyond = bound(latest)
    _TICKED.execute(connection, [(name, bound(tick), beyond) for name, tick in sorted(ticks.items())])


def last_ticks(connection: sa.Connection) -> dict[str, datetime]:
    """Returns the last tick of each job that has had one."""
    query = sa.select(jobs.c.name, jobs.c.last_tick).where(jobs.c.last_tick.is_not(None))
    return {row.name: row.last_tick for row in connection.execute(query)}


def announce(connection: sa.Connection, ticks: Mapping[str, datetime | None]) -> None:
    """Records when each job is due next, for people who look."""
    for part in in_parts(sorted(ticks), 1000):  # of 10,000 at once the heap would keep some megabytes
        query = sa.select(jobs.c.name, jobs.c.next_tick).where(jobs.c.configured, jobs.c.name.in_(part))
        told = {row.name: row.next_tick for row in connection.execute(query)}
        for name in sorted(told):
            if told[name] != ticks[name]:
                connection.execute(_ANNOUNCE, {"of_name": name, "tick": ticks[name]})


def pause(connection: sa.Connection, names: Sequence[str], by: str, why: str | None, now: datetime) -> list[str]:
    """Pauses jobs and returns those that were not paused; of the others, who paused them and why stands."""
    idle = [name for name, row in locked(connection, names).items() if row.paused_at is None]
    _pausing(connection, idle, {"paused_by": by, "paused_at": now, "paused_why": why})
    return idle


def quarantine(connection: sa.Connection, name: str, why: str, now: datetime) -> bool:
    """Pauses a job as the worker's own act; False where it was in quarantine."""
    change = sa.update(jobs).where(jobs.c.name == name, jobs.c.quarantined_at.is_(None))
    pause = {"paused_by": WORKER, "paused_at": now, "paused_why": why, "quarantined_at": now}
    return connection.execute(change.values(pause)).rowcount == 1


def resume(connection: sa.Connection, names: Sequence[str], now: datetime) -> list[str]:
    """Lets jobs go on and returns those that were paused or in quarantine."""
    found = locked(connection, names)
    held = [name for name, row in found.items() if row.paused_at is not None or row.quarantined_at is not None]
    free = {"paused_by": None, "paused_at": None, "paused_why": None, "quarantined_at": None, "resumed_at": now}
    _pausing(connection, held, free)
    return held


def _pausing(connection: sa.Connection, names: Sequence[str], values: Mapping[str, object]) -> None:
    for part in in_parts(names):
        connection.execute(sa.update(jobs).where(jobs.c.name.in_(part)).values(values))
