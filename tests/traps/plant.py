"""The whole worker in this process, but for the daemon: a configuration, a far end over HTTP, and runs made by hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from jobs.contract import Counts
from jobs.registry import job_class
from tests.process.house import House
from worker.config.load import load
from worker.model.events import CallRetried, JobWarned
from worker.model.listening import Event, Events
from worker.model.moments import new_id, utc_now
from worker.model.records import AttemptState, Run, RunState, Trigger
from worker.runs.context import Leash, Resources, RunContext
from worker.store import attempts, runs
from worker.wiring.alone import together

QUICK = 'retry = { attempts = 2, backoff = "10ms", max = "20ms" }\n'  # of the account that a house names last
ITEMS = """
[accounts.items]
base_url = "{url}/basic"
grant = "basic"
username = "{name}"
password = {{ file = "secrets/items" }}
"""

INCIDENTS = """
[jobs.{job}]
type = "sync"
schedule = "manual"
source = {{ account = "servicenow", resource = "table/{table}", paging = {{ size = {size}, min_size = 1 }} }}
destination = {{ table = "{job}" }}
"""


def incidents(job: str, table: str = "incident", size: int = 8) -> str:
    """Returns a job that reads a table of ServiceNow as the profile knows it, in pages of so many rows."""
    return INCIDENTS.format(job=job, table=table, size=size)


@dataclass
class Done:
    """What one run came to."""

    error: Exception | None
    counts: Counts
    heard: list[Event] = field(default_factory=list)
    rejects: list[str] = field(default_factory=list)

    @property
    def warned(self) -> list[str]:
        """What the job warned of."""
        return [event.text for event in self.heard if isinstance(event, JobWarned)]

    @property
    def retried(self) -> list[str]:
        """Why calls were repeated."""
        return [event.why for event in self.heard if isinstance(event, CallRetried)]


@dataclass
class Plant:
    """One installation whose jobs are written one a test; each job fills a table of its own name."""

    house: House

    def __post_init__(self) -> None:
        """Writes the secret of the account `items`."""
        self.house.secret("items", self.house.sandbox.options.credentials.basic_password)

    def run(self, job: str, text: str, **params: Any) -> Done:  # noqa: ANN401  any JSON value
        """Runs a job once, as the text configures it, and raises what it raised unless that is an Exception."""
        who = self.house.sandbox.options.credentials
        items = ITEMS.format(url=self.house.sandbox.url, name=who.basic_username)
        self.house.configure(QUICK, items, text)
        configuration = load(self.house.config, {})
        events, heard = Events(), list[Event]()
        events.listen(heard.append)
        with together(configuration, self.house.database, job, events) as resources:
            definition = configuration.jobs[job]
            with self._attempt(job, resources, params) as (context, done):
                try:
                    job_class(definition.type)(definition.options).run(context)
                except Exception as error:  # noqa: BLE001  the test looks at it
                    done.error = error
            done.counts, done.heard = context.counts, heard
        return done

    @contextmanager
    def _attempt(self, job: str, resources: Resources, params: dict[str, Any]) -> Iterator[tuple[RunContext, Done]]:
        now = utc_now()
        number = new_id()
        run = Run(
            number, job, f"manual:{number}", Trigger.MANUAL, RunState.RUNNING, now, "hash", params=params, attempt=1
        )
        with resources.own.write() as connection:
            runs.claim(connection, [run])
            attempts.begin(connection, run.id, 1, 1, now)
        policy = load(self.house.config, {}).jobs[job].policy
        done = Done(None, Counts())
        context = RunContext(run, resources, policy.max_rejects, Leash(policy.timeout))
        yield context, done
        with resources.own.write() as connection:
            state = AttemptState.FAILED if done.error else AttemptState.SUCCEEDED
            attempts.end(connection, run.id, 1, state, utc_now())
            query = sa.text("SELECT reason FROM rejects WHERE job = :job AND run_id = :run_id ORDER BY record_hash")
            done.rejects = list(connection.execute(query, {"job": job, "run_id": run.id}).scalars())

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Returns what stands in a destination."""
        with self.house.database.read() as connection:
            return [dict(row) for row in connection.execute(sa.text(f'SELECT * FROM "{table}"')).mappings()]

    def ids(self, table: str, key: str = "sys_id") -> list[str]:
        """Returns the keys in a destination, sorted."""
        return sorted(str(row[key]) for row in self.rows(table))
