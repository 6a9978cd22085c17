"""Authenticated access to one account's API, as a job sees it."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

import orjson

from jobs.contract import Answer, Json
from worker.auth.account import Account
from worker.auth.credential import Credential
from worker.calls.acting import Acting, acting
from worker.calls.flow import Flow
from worker.calls.limits import Limiter
from worker.calls.means import READS, Means, RunRef, Subject
from worker.calls.paths import absolute
from worker.calls.signing import Signer
from worker.model.errors import CallRefused
from worker.model.listening import Events
from worker.model.moments import utc_now
from worker.model.records import Purpose
from worker.store.writer import Ticket
from worker.wire.line import Line
from worker.wire.outgoing import Outgoing, Reply

__all__ = ["AccountApi", "BoundApi", "RunRef"]

_HELD = 256  # tickets; a run that reads on while nothing is stored waits for the database here
PATIENCE_S = 30.0  # for a row to become durable


class AccountApi:
    """One account's API, shared by all runs: one limiter, one line, one keeper; safe for any number of threads."""

    def __init__(
        self,
        account: Account,
        line: Line,
        keeper: Credential,
        events: Events,
        now: Callable[[], datetime] = utc_now,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        limiter, signer = Limiter(account.options.rate_limit), Signer(account.options)
        self.means = Means(account, line, keeper, signer, limiter, events, now, wait)
        self.headers = account.filled(account.options.headers)
        told = {*self.headers, signer.header or "authorization", *account.options.act_for_headers.values()}
        self.taken = frozenset(name.lower() for name in told) | {"authorization"}
        self._acting = acting(account.options, {}, f"account {account.name}")
        self.base_url = account.options.base_url.rstrip("/")

    def acting(self, given: Mapping[str, str] | None, place: str) -> Acting:
        """Returns on whose behalf a call is made; raises CallRefused where that cannot be told the API."""
        return acting(self.means.account.options, given, place) if given else self._acting

    def bind(self, run: RunRef) -> "BoundApi":
        """Returns the access of one attempt of a run."""
        return BoundApi(self, run)


class BoundApi:
    """An account's API on behalf of one attempt of a run; every call carries its ids. Safe for several threads."""

    def __init__(self, api: AccountApi, run: RunRef) -> None:
        self._api = api
        self._run = run
        self._tickets: dict[Ticket[None], int] = {}  # to the lowest id of its calls; until their rows are durable
        self._lock = threading.Lock()  # over the tickets; nobody waits while holding it

    @property
    def base_url(self) -> str:
        """Where relative paths start, without a slash at its end."""
        return self._api.base_url

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
        """Returns the answer to one request, whose status is below 400; `path` is relative, or an allowed URL.

        `reads` says that a POST only reads and may be sent again.
        `act_for` says on whose behalf, over what the account says; a blank value takes one back.
        Raises CallError, CredentialError, StoreError and Interrupted; `retry_after_s` of an error says when the run
        may be tried again, where the far end said so.
        """
        means = self._api.means
        who = self._api.acting(act_for, f"{method} {path[:200]} (account {means.name})")
        outgoing = Outgoing(
            method=method,
            url=absolute(self.base_url, path, means.name),
            params=params or {},
            headers=self._headers(headers or {}, who),
            body=None if json is None else self._encoded(json, method, path),
            content_type="application/json",
        )
        purpose = Purpose.READ if reads or method in READS else Purpose.WRITE
        subject = Subject(means.name, purpose, means.account.options.tenant or None, self._run, who.told)
        return Flow(means, subject, outgoing, self._keep).answer()

    def settle(self, upto: int | None = None) -> None:
        """Waits until the rows of all answers so far are durable; raises StoreError where that takes too long.

        `upto` leaves out those of calls with higher ids, which began later. Not inside a write transaction of the
        worker's own database: those rows wait for it.
        """
        for ticket in self.held(upto):
            self._await(ticket)

    def held(self, upto: int | None = None) -> list[Ticket[None]]:
        """Returns the tickets of answers whose rows nobody has made sure of; other accounts may hold the same."""
        with self._lock:
            return [ticket for ticket, first in self._tickets.items() if upto is None or first <= upto]

    def _keep(self, reply: Reply) -> None:
        """Keeps the reply's ticket; many calls may share one."""
        with self._lock:
            first = self._tickets.setdefault(reply.ticket, reply.call_id)
            self._tickets[reply.ticket] = min(first, reply.call_id)
            surplus = list(self._tickets)[:-_HELD] if len(self._tickets) > _HELD else []
        for ticket in surplus:
            self._await(ticket)

    def _await(self, ticket: Ticket[None]) -> None:
        """Waits for a row, then lets its ticket go; another thread may have let it go before."""
        ticket.wait(PATIENCE_S)
        self.let_go([ticket])

    def let_go(self, tickets: Iterable[Ticket[None]]) -> None:
        """Forgets tickets whose rows are durable."""
        with self._lock:
            for ticket in tickets:
                self._tickets.pop(ticket, None)

    def _headers(self, given: Mapping[str, str], who: Acting) -> dict[str, str]:
        """Returns the job's headers under those that say who calls, which it cannot replace."""
        own = {name: value for name, value in given.items() if name.lower() not in self._api.taken}
        return {"Accept": "application/json", **own, **self._api.headers, **who.headers}

    def _encoded(self, document: Json, method: str, path: str) -> bytes:
        try:
            return orjson.dumps(document)
        except TypeError as error:
            raise CallRefused(
                f"{method} {path[:200]} (account {self._api.means.name}): not sent, because its body is no JSON: "
                f"{error}; give text, numbers, lists and objects."
            ) from None
