"""The whole worker, from a configuration: the one place that knows all parts."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from worker.auth.steward import SWEEP_S, WATCH_S, Steward
from worker.config.load import Configuration
from worker.engine.clock import Clock
from worker.engine.periodic import Periodic
from worker.engine.pool import LocalPool
from worker.engine.schedule import Occurrences, Span, of_job
from worker.model.events import Events
from worker.model.moments import new_id, utc_now
from worker.model.records import Node
from worker.runs.book import Book
from worker.runs.cancelling import CANCEL_POLL_S, Cancellations
from worker.runs.context import Resources
from worker.runs.dispatch import Dispatch
from worker.runs.executor import Executor
from worker.runs.inbox import POLL_S, Inbox
from worker.runs.progress import TELL_S, Progress
from worker.runs.pruning import PRUNE_S, Pruner, told
from worker.runs.pulse import BEATS, Pulse
from worker.store.database import Database
from worker.store.leaseclock import boot_id
from worker.store.other import Others
from worker.store.writer import Writer
from worker.wire.trail import Trail
from worker.wiring.accounts import AccountParts, Ground, build_accounts
from worker.wiring.complaints import Complaints
from worker.wiring.databases import open_own, other_databases, prepare
from worker.wiring.secrets import Secrets


@dataclass(frozen=True)
class Worker:
    """The parts a daemon starts and stops; `node` is this process."""

    configuration: Configuration
    node: Node
    ground: Ground
    others: Others
    accounts: dict[str, AccountParts]
    dispatch: Dispatch
    executor: Executor
    pool: LocalPool
    clock: Clock
    pulse: Pulse
    inbox: Inbox
    services: tuple[Periodic, ...]  # the inbox first, the pulse last
    schedules: dict[str, Occurrences]


def build(configuration: Configuration, secrets: Secrets, events: Events) -> Worker:
    """Builds every part and joins them; takes the daemon's place at the database and brings that up to date.

    Raises StoreError, SchemaMismatch, StoreInUse or KeyRingError. Nothing runs yet but the writer.
    """
    database = open_own(configuration)
    try:
        database.claim_daemon()
        cipher = prepare(database, secrets.ring)
    except BaseException:
        database.close()
        raise
    writer = Writer(database, Complaints(events).writer_failed)
    writer.start()
    node = _node(configuration, database)
    trail = Trail(writer, events, node.id, utc_now)
    ground = Ground(database, writer, cipher, trail, events)
    accounts = build_accounts(configuration, secrets.accounts, ground)
    return _join(configuration, node, ground, other_databases(configuration, secrets), accounts)


def _join(
    configuration: Configuration,
    node: Node,
    ground: Ground,
    others: Others,
    accounts: dict[str, AccountParts],
) -> Worker:
    events, writer, database = ground.events, ground.writer, ground.database
    apis = {name: parts.api for name, parts in accounts.items()}
    resources = Resources(database, others, apis, utc_now, events)
    jobs_book = Book(configuration.jobs)
    schedules = _schedules(configuration)
    tell = Complaints(events)

    def book() -> Book:
        return jobs_book

    def execute(run_id: int) -> None:
        executor.execute(run_id)

    pool = LocalPool(configuration.worker.concurrency, execute, tell.run_failed)
    dispatch = Dispatch(book, writer, pool.submit, events, utc_now)
    executor = Executor(node.id, book, writer, resources, dispatch, pool.write_off)
    clock = Clock(dispatch.fire, partial(_make_up, dispatch, schedules), tell.clock_failed)
    upcoming = partial(_next_ticks, clock, schedules)
    pulse = Pulse(node.id, database, writer, book, dispatch, utc_now, upcoming)
    steward = Steward({name: parts.credential for name, parts in accounts.items()}, database, events)
    pruner = Pruner(database, writer.call, lambda: configuration.retention, utc_now)
    inbox = Inbox(node.id, database, writer, book, dispatch, utc_now)
    return Worker(
        configuration=configuration,
        node=node,
        ground=ground,
        others=others,
        accounts=accounts,
        dispatch=dispatch,
        executor=executor,
        pool=pool,
        clock=clock,
        pulse=pulse,
        inbox=inbox,
        services=(
            Periodic("inbox", POLL_S, inbox.once, tell.part_failed),
            Periodic("account watch", WATCH_S, steward.watch, tell.part_failed),
            Periodic("account sweep", SWEEP_S, steward.sweep, tell.part_failed),
            Periodic("cancellations", CANCEL_POLL_S, Cancellations(database, executor).once, tell.part_failed),
            Periodic("progress", TELL_S, Progress(executor.underway, events).once, tell.part_failed),
            Periodic("retention", PRUNE_S, partial(told, pruner, events), tell.part_failed),
            Periodic("pulse", node.lease_s / BEATS, pulse.once, tell.part_failed),
        ),
        schedules=schedules,
    )


def _schedules(configuration: Configuration) -> dict[str, Occurrences]:
    found = {
        name: of_job(job.policy, configuration.worker.timezone, name)
        for name, job in configuration.jobs.items()
        if job.policy.enabled
    }
    return {name: schedule for name, schedule in found.items() if schedule is not None}


def _make_up(dispatch: Dispatch, schedules: Mapping[str, Occurrences], name: str, gap: Span) -> None:
    """Accounts for ticks the clock passed over in one jump, as after a downtime."""
    dispatch.catch_up({name: schedules[name]}, gap.last)


def _next_ticks(clock: Clock, schedules: Mapping[str, Occurrences]) -> dict[str, datetime | None]:
    return {name: clock.next_fire(name) for name in schedules}


def _node(configuration: Configuration, database: Database) -> Node:
    with database.write() as connection:
        beat = database.lease_now(connection)
    name = configuration.worker.name or socket.gethostname()
    lease_s = configuration.worker.lease
    return Node(new_id(), name, os.getpid(), boot_id(), utc_now(), beat, lease_s=lease_s)
