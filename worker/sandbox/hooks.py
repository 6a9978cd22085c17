"""Calls back into the test's own process before a request is answered, so that data can change between two pages."""

from collections.abc import Callable
from dataclasses import dataclass, field

from worker.sandbox.calllog import CallRecord

Hook = Callable[[CallRecord], None]


@dataclass(slots=True)
class _Awaited:
    requests: int
    path: str
    act: Hook


@dataclass(slots=True)
class Hooks:
    """What is called before requests are answered; a hook may do to the sandbox whatever a test may."""

    always: Hook | None = None
    awaited: list[_Awaited] = field(default_factory=list)

    def after(self, requests: int, path: str, act: Hook) -> None:
        """Lets `act` be called once: before the request that follows so many to paths that begin so."""
        self.awaited.append(_Awaited(requests, path, act))

    def call(self, record: CallRecord) -> None:
        """Calls whoever waits for this request; what a hook raises becomes the answer's status 500."""
        if self.always is not None:
            self.always(record)
        for one in [one for one in self.awaited if record.path.startswith(one.path)]:
            one.requests -= 1
            if one.requests < 0:
                self.awaited.remove(one)
                one.act(record)
