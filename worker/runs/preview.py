"""A run that leaves only the rows of its calls behind: real reads, each unit rolled back, nothing sent that changes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from jobs.contract import Answer, Api, Counts, Cursor, GiveUp, Json, Shown
from jobs.registry import job_class
from worker.calls.means import READS
from worker.calls.session import BoundApi, RunRef
from worker.config.configuration import JobDefinition
from worker.model.moments import new_id
from worker.model.records import Run, RunState, Trigger
from worker.runs import elsewhere
from worker.runs.context import Leash, Resources, RunContext
from worker.runs.unit import RunUnit
from worker.store import cursors, pastruns

_TAKES_BACK = frozenset({"sqlite", "postgresql"})  # others commit whenever a table is made


@dataclass(frozen=True)
class Preview:
    """What a run would do, as far as it was tried: what the job shows, what it counted and rejected."""

    shown: Shown
    counts: Counts
    rejects: list[tuple[Json, str]]
    cursors: dict[str, Json]  # where those stand that were read


def preview(definition: JobDefinition, resources: Resources, params: dict[str, Json], rows: int) -> Preview:
    """Returns what a run of a job would do, with up to `rows` rows or requests; raises what the job raises."""
    context = PreviewContext(definition, resources, params)
    shown = job_class(definition.type)(definition.options).preview(context, rows)
    return Preview(shown, context.counts, context.rejects, context.cursors)


class _Undone(Exception):
    """Takes a transaction back."""


class PreviewContext(RunContext):
    """Implements jobs.contract.Context for a preview; gathers what units count and reject, and stores none of it."""

    dry = True

    def __init__(self, definition: JobDefinition, resources: Resources, params: dict[str, Json]) -> None:
        policy = definition.policy
        super().__init__(_run(definition, resources, params), resources, policy.max_rejects, Leash(policy.timeout))
        self.rejects: list[tuple[Json, str]] = []
        self.cursors: dict[str, Json] = {}

    def api(self, account: str) -> Api:
        """Returns access to a configured account that only reads; its calls name the job, and no run."""
        if account not in self._apis:
            run = RunRef(self.job, None, None, self._leash.check, self._leash.remaining_s)
            self._apis.setdefault(account, self._resources.accounts[account].bind(run))  # several threads may ask
        return ReadingApi(self._apis[account])

    def cursor(self, name: str = "", database: str | None = None) -> Cursor:
        """Returns the cursor as last committed; the ledger is not mended."""
        with self._resources.own.read() as connection:
            found = cursors.get(connection, self.job, name)
        if self._is_elsewhere(database):
            there = elsewhere.standing(self._resources.database(database), self.job, name)
            found = max(found, there, key=lambda one: one.version)
        if found.version:
            self.cursors[name] = found.value
        return found

    def expect(self, total: int) -> None:
        """Says how many records a run would read."""
        self.counts.expected = self._expected = total

    @contextmanager
    def unit(self, database: str | None = None, upto_call: int | None = None) -> Iterator[RunUnit]:  # noqa: ARG002 - nothing is stored that could rest on calls
        """Opens one transaction that is rolled back; raises GiveUp where the database cannot do that."""
        there = self._resources.database(database)
        if there.dialect not in _TAKES_BACK:
            raise GiveUp(
                f"the job {self.job} cannot be previewed: {there.dialect} commits whenever a table is made, so that "
                "nothing can be tried there; preview it with a database of SQLite or PostgreSQL as destination."
            )
        with suppress(_Undone), there.write() as connection:
            unit = RunUnit(connection)
            yield unit
            raise _Undone
        self.rejects += [(record, reason) for record, reason, _ in unit.rejects]
        self._add(unit.delta)


def _run(definition: JobDefinition, resources: Resources, params: dict[str, Json]) -> Run:
    """Returns the run that a request would become now; it stands nowhere."""
    now = resources.now()
    with resources.own.read() as connection:
        since = pastruns.covered(connection, definition.name)
    return Run(
        id=new_id(),
        job=definition.name,
        cause="preview",
        trigger=Trigger.MANUAL,
        state=RunState.RUNNING,
        created_at=now,
        definition_hash=definition.hash,
        window_since=since,
        window_until=now,
        params=params,
        attempt=1,
    )


@dataclass(frozen=True)
class ReadingApi:
    """An account's API to which nothing goes that may change something; implements jobs.contract.Api."""

    api: BoundApi

    @property
    def base_url(self) -> str:
        """Where relative paths start, without a slash at its end."""
        return self.api.base_url

    def request(  # noqa: PLR0913  the parts of a request, by name
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: Json = None,
        headers: Mapping[str, str] | None = None,
        act_for: Mapping[str, str] | None = None,
        reads: bool = False,
    ) -> Answer:
        """Returns the answer to a request that only reads; raises GiveUp for any other, and sends nothing."""
        if method not in READS and not (reads and method == "POST"):
            raise GiveUp(f"{method} {path[:200]} was not sent: it may change something, and a preview only reads.")
        return self.api.request(method, path, params=params, json=json, headers=headers, act_for=act_for, reads=reads)
