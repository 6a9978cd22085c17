"""The whole worker, from a configuration: the one place that knows all parts."""

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from worker.auth.steward import SWEEP_S, WATCH_S, Steward
from worker.config.load import Configuration
from worker.engine.clock import Clock
from worker.engine.periodic import Periodic
from worker.engine.pool import LocalPool, Task
from worker.engine.schedule import Span
from worker.model.listening import Events
from worker.model.moments import new_id, utc_now
from worker.model.records import Node
from worker.runs.backfilling import BACKFILL_POLL_S, Backfills
from worker.runs.cancelling import CANCEL_POLL_S, Cancellations
from worker.runs.dispatch import Dispatch
from worker.runs.eviction import Eviction
from worker.runs.executor import Executor
from worker.runs.inbox import POLL_S, Inbox
from worker.runs.progress import TELL_S, Progress
from worker.runs.pruning import PRUNE_AFTER_S, PRUNE_S, Pruner, told
from worker.runs.pulse import BEATS, Pulse
from worker.runs.reloads import Reloads
from worker.runs.setback import LOOK_S, Setback
from worker.store.database import Database
from worker.store.leaseclock import boot_id
from worker.store.postgres import Holder
from worker.store.writer import Writer
from worker.watch.logs import dropped, gathered
from worker.wire.trail import Trail
from worker.wiring.accounts import Ground
from worker.wiring.complaints import Complaints
from worker.wiring.databases import held, prepare
from worker.wiring.live import Live, configured
from worker.wiring.own import open_own
from worker.wiring.secrets import Secrets


@dataclass(frozen=True)
class Worker:
    """The parts a daemon starts and stops; `node` is this process, `begun` the configuration that it began with."""

    begun: Configuration
    node: Node
    ground: Ground
    live: Live
    dispatch: Dispatch
    executor: Executor
    pool: LocalPool
    clock: Clock
    pulse: Pulse
    inbox: Inbox
    reloads: Reloads
    eviction: Eviction | None  # on PostgreSQL: on SQLite a process that is gone holds nothing
    services: tuple[Periodic, ...]  # the inbox first, the pulse last


def build(configuration: Configuration, secrets: Secrets, events: Events) -> Worker:
    """Builds every part and joins them; takes the daemon's place at the database and brings that up to date.

    Raises StoreError, SchemaMismatch, StoreInUse or KeyRingError. Nothing runs yet but the writer.
    """
    holder = Holder(new_id(), configuration.worker.lease)
    database = held(open_own(configuration.database), holder)
    try:
        database.claim_daemon()
        cipher = prepare(database, secrets.ring)
    except BaseException:
        database.close()
        raise
    writer = Writer(database, Complaints(events).writer_failed, gathered)
    writer.start()
    node = _node(configuration, database, holder)
    trail = Trail(writer, events, node.id, utc_now)
    ground = Ground(database, writer, cipher, trail, events)
    return _join(configuration, node, ground, Live(configured(configuration, secrets, ground)))


def _join(configuration: Configuration, node: Node, ground: Ground, live: Live) -> Worker:
    events, writer, database = ground.events, ground.writer, ground.database
    tell = Complaints(events)
    book = live.book

    def execute(run_id: int) -> None:
        executor.execute(run_id)

    def begin(run_id: int, ready: Callable[[Task | None], None]) -> None:
        executor.begin(run_id, ready)

    pool = LocalPool(configuration.worker.concurrency, execute, tell.run_failed, begin)
    dispatch = Dispatch(book, writer, pool.submit, events, utc_now)
    executor = Executor(node.id, book, writer, live.resources, dispatch, pool.write_off)
    clock = Clock(dispatch.fire, partial(_make_up, dispatch, live), tell.clock_failed)
    upcoming = partial(_next_ticks, clock, live)
    pulse = Pulse(node.id, database, writer, book, dispatch, utc_now, upcoming, dropped)
    steward = Steward(live.credentials, database, events)
    pruner = Pruner(database, writer.call, lambda: live.current.configuration.retention, utc_now)
    filling = Backfills(database, writer, book, dispatch, utc_now)
    reloads = Reloads()
    inbox = Inbox(node.id, database, writer, book, dispatch, utc_now, reloads)
    return Worker(
        begun=configuration,
        node=node,
        ground=ground,
        live=live,
        dispatch=dispatch,
        executor=executor,
        pool=pool,
        clock=clock,
        pulse=pulse,
        inbox=inbox,
        reloads=reloads,
        eviction=None if database.dialect == "sqlite" else Eviction(node, database, events, tell.part_failed),
        services=(
            Periodic("inbox", POLL_S, inbox.once, tell.part_failed),
            Periodic("setback", LOOK_S, Setback(writer, utc_now).once, tell.part_failed),
            Periodic("backfills", BACKFILL_POLL_S, filling.once, tell.part_failed),
            Periodic("account watch", WATCH_S, steward.watch, tell.part_failed),
            Periodic("account sweep", SWEEP_S, steward.sweep, tell.part_failed),
            Periodic("cancellations", CANCEL_POLL_S, Cancellations(database, executor).once, tell.part_failed),
            Periodic("progress", TELL_S, Progress(executor.underway, events).once, tell.part_failed),
            Periodic("retention", PRUNE_S, partial(told, pruner, events), tell.part_failed, PRUNE_AFTER_S),
            Periodic("pulse", node.lease_s / BEATS, pulse.once, tell.part_failed),
        ),
    )


def _make_up(dispatch: Dispatch, live: Live, name: str, gap: Span) -> None:
    """Accounts for ticks the clock passed over in one jump, as after a downtime."""
    schedule = live.schedules().get(name)
    if schedule is not None:  # else the job was taken out meanwhile
        dispatch.catch_up({name: schedule}, gap.last)


def _next_ticks(clock: Clock, live: Live) -> dict[str, datetime | None]:
    upcoming = clock.next_ticks()
    return {name: upcoming.get(name) for name in live.schedules()}


def _node(configuration: Configuration, database: Database, holder: Holder) -> Node:
    with database.write() as connection:
        beat = database.lease_now(connection)
    name, now = configuration.worker.name or socket.gethostname(), utc_now()
    me = Node(holder.node_id, name, os.getpid(), boot_id(), now, beat, lease_s=holder.lease_s)
    return replace(me, configuration_hash=configuration.hash, configured_at=now)
