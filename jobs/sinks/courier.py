"""Requests in flight: each is marked before it leaves, what became of it is booked in order.

Marks are durable before a request leaves, and go into the transaction that takes the outcomes before them: one
transaction per request, or fewer where several are in flight.
"""

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from jobs.contract import BadRecord, Context, WorkerError
from jobs.crew import Crew
from jobs.sinks.manifest import Manifest
from jobs.sinks.parcels import Item, Packer, Parcel
from jobs.sinks.sending import Sent
from jobs.sinks.verdicts import Verdict

Group = tuple[Item, ...]


class _Flying(Protocol):
    def result(self) -> Sent: ...

    def done(self) -> bool: ...


@dataclass(frozen=True)
class _Later:
    """A request that is sent when its outcome is asked for: no thread is needed for one at a time."""

    send: Callable[[], Sent]

    def result(self) -> Sent:
        return self.send()

    def done(self) -> bool:
        return False


@dataclass
class Courier:
    """Sends the items of one batch; `dry` collects the requests instead of sending them."""

    context: Context
    packer: Packer
    send: Callable[[Parcel], Sent]
    parallel: int
    parcels: list[Parcel]  # would-be requests of a preview
    _todo: deque[Group] = field(default_factory=deque)
    _flying: deque[tuple[Parcel, _Flying]] = field(default_factory=deque)

    def deliver(self, groups: Iterable[Group], manifest: Manifest) -> None:
        """Sends each group as one request; the outcomes of the last ones are left in the manifest.

        Raises the error that ends the run, after the outcomes of all that was in flight are stored.
        """
        self._todo.extend(groups)
        with Crew(self.parallel, "courier") as crew:
            try:
                while self._todo or self._flying:
                    self._launch(manifest, crew)
                    self._land(manifest)
            except BaseException:
                self._land_all(manifest)
                manifest.commit()
                raise

    def _launch(self, manifest: Manifest, crew: Crew) -> None:
        """Marks and sends as many requests as may be in flight."""
        if not self._todo:
            return
        self.context.check()
        fresh = list[Parcel]()
        while self._todo and len(self._flying) + len(fresh) < self.parallel:
            fresh += self._packed(self._todo.popleft(), manifest)
        if fresh and not self.context.dry:
            manifest.commit()
        for parcel in fresh:
            self._flying.append((parcel, self._sent(parcel, crew)))

    def _packed(self, group: Group, manifest: Manifest) -> list[Parcel]:
        try:
            parcel = self.packer.parcel(group)
        except BadRecord as error:
            for item in group:
                manifest.judge(item, Verdict("refused", str(error)))
            return []
        for item in group:
            manifest.mark(item)
        return [parcel]

    def _sent(self, parcel: Parcel, crew: Crew) -> "_Flying | Future[Sent]":
        if self.context.dry:
            self.parcels.append(parcel)
            return _Later(lambda: _imagined(parcel))
        if self.parallel == 1:
            return _Later(lambda: self.send(parcel))
        return crew.submit(self.send, parcel)

    def _land(self, manifest: Manifest) -> None:
        """Takes the oldest outcome, and those behind it that are there already; raises the first error among them."""
        error: WorkerError | None = None
        first = True
        while self._flying and (first or self._flying[0][1].done()):
            error = self._taken(manifest) or error
            first = False
        if error is not None:
            raise error

    def _land_all(self, manifest: Manifest) -> None:
        """Takes what is in flight; a request that raised something unheard of stays in doubt."""
        while self._flying:
            with suppress(Exception):
                self._taken(manifest)

    def _taken(self, manifest: Manifest) -> WorkerError | None:
        parcel, flying = self._flying.popleft()
        outcome = flying.result()
        for item in parcel.items:
            if item.key in outcome.verdicts:
                manifest.judge(item, outcome.verdicts[item.key])
        if outcome.returned or outcome.again:
            self._put_back(parcel, manifest)
        self._todo.extendleft(reversed(outcome.again))
        return outcome.error

    def _put_back(self, parcel: Parcel, manifest: Manifest) -> None:
        for item in parcel.items:
            manifest.restore(item)


def _imagined(parcel: Parcel) -> Sent:
    """Returns what a preview takes for the outcome: all goes well."""
    verdict = Verdict("absent") if parcel.items[0].act == "delete" else Verdict("delivered")
    return Sent(parcel, {item.key: verdict for item in parcel.items})
