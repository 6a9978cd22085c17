"""The worker as a daemon runs it: configuration, key ring, token, trail, log lines, cursor, durable commits.

A manual run is recorded and submitted as `worker trigger` does, without the wait for the inbox's next look. Its time
ends with `run.finished`, which is told once the end is committed. What must have come of it is then looked up: states,
counts, the trail's rows, the cursor.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue

import sqlalchemy as sa

from benchmarks.sync.data import CLIENT_ID, CLIENT_SECRET, TABLE
from benchmarks.sync.spec import Spec, Told, Watch, peak_mb, perform
from worker.config.load import load
from worker.daemon import life as daemon
from worker.model.events import RunFinished
from worker.model.listening import Event, Events
from worker.model.moments import new_id, utc_now
from worker.runs.book import Book
from worker.runs.candidates import of_request
from worker.runs.claims import record
from worker.vault.keyring import create
from worker.watch.logs import configure, log_event
from worker.wiring.build import Worker, build
from worker.wiring.checks import verify
from worker.wiring.secrets import fetch

_CONFIG = """\
[database]
url = "{database}"

[vault]
keys = {{ file = "worker.keys" }}

[log]
format = "json"
file = "worker.log"

[accounts.api]
base_url = "{url}"
token_url = "{token_url}"
client_id = "{client_id}"
client_secret = {{ file = "client_secret" }}

[jobs.devices]
type = "sync"
schedule = "manual"
{prefetch}
[jobs.devices.source]
account = "api"
path = "/devices"
records = "items"
paging = {{ kind = "offset", size = {size}, total = "total" }}
cursor = {{ field = "updated_at", param = "since", lookback = "4000d" }}  # so far back that a re-run reads everything
[jobs.devices.destination]
table = "{table}"
key = "id"

[jobs.changed]
type = "sync"
schedule = "manual"
[jobs.changed.source]
account = "api"
path = "/changed"
records = "items"
paging = {{ kind = "offset", size = {size}, total = "total" }}
cursor = {{ field = "updated_at", param = "since" }}
[jobs.changed.destination]
table = "{table}"
key = "id"
"""


def configured(spec: Spec) -> Path:
    """Writes the configuration and its secrets where there are none yet; returns its path."""
    folder = Path(spec.folder)
    config = folder / "config.toml"
    secret = folder / "client_secret"
    if not secret.exists():
        secret.touch(mode=0o600)
        secret.write_text(CLIENT_SECRET)
        create(folder / "worker.keys")
    prefetch = "" if spec.prefetch < 0 else f"prefetch = {spec.prefetch}"
    values = {"database": spec.database, "url": spec.url, "token_url": f"{spec.url}/token", "size": spec.size}
    config.write_text(_CONFIG.format(**values, prefetch=prefetch, table=TABLE, client_id=CLIENT_ID))
    return config


@contextmanager
def started(config: Path, events: Events) -> Iterator[Worker]:
    """Starts the daemon's parts in its own order and stops them."""
    configuration = load(config)
    verify(configuration)
    log = configure(configuration.log.level, configuration.log.format, configuration.log.file)
    events.listen(log_event)
    worker = build(configuration, fetch(configuration), events)
    daemon.start(worker)
    try:
        yield worker
    finally:
        daemon.stop(worker, "the benchmark ends")
        log.close()


def work(spec: Spec) -> Told:
    """Runs the job once, then the job of the changed page as often as asked."""
    events, ends = Events(), SimpleQueue[RunFinished]()

    def listen(event: Event) -> None:
        if isinstance(event, RunFinished):
            ends.put(event)

    events.listen(listen)
    with started(configured(spec), events) as worker:
        told = _run(worker, ends, "devices", spec.rows)
        changes = [_run(worker, ends, "changed", spec.size).work_s for _ in range(spec.changes)]
        _check(worker, spec)
    return replace(told, changes_s=tuple(changes), peak_mb=peak_mb())


def _run(worker: Worker, ends: SimpleQueue[RunFinished], job: str, rows: int) -> Told:
    """Returns what it took from the request for a run to its recorded end."""
    book = Book(worker.begun.jobs)
    watch = Watch()
    run = of_request(worker.begun.jobs[job], new_id(), utc_now(), {})
    worker.dispatch.settle(worker.ground.writer.call(lambda connection: record(connection, book, [run], utc_now())))
    end = ends.get()
    told = watch.told()
    if (end.state, end.read, end.rejected) != ("succeeded", rows, 0):
        raise RuntimeError(f"the run of {job} ended otherwise than it should: {end}")
    return told


def _check(worker: Worker, spec: Spec) -> None:
    """Raises RuntimeError where the trail lacks a call, or a cursor did not move."""
    with worker.ground.database.read() as connection:
        calls = connection.scalar(sa.text("SELECT count(*) FROM calls WHERE status = 200"))
        cursors = connection.scalar(sa.text("SELECT count(*) FROM cursors WHERE version > 0"))
    if (calls or 0) < spec.pages + spec.changes or not cursors:
        raise RuntimeError(f"{calls} calls and {cursors} cursors are on record, for {spec.pages} pages")


if __name__ == "__main__":
    perform(work)
