"""One request over the wire and its whole answer back; every failure in our own words."""

from collections.abc import Mapping

from urllib3 import HTTPHeaderDict, HTTPResponse

from jobs.contract import Answer
from worker.model.errors import BodyTooLarge, CallError, CallUnanswered, CallUnsent
from worker.model.records import Call
from worker.vault.redact import redact
from worker.wire.adapter import Adapter, PreparedCall
from worker.wire.body import Intake, TooLarge
from worker.wire.faults import words
from worker.wire.outgoing import Limits, place_of
from worker.wire.watchdog import Watch

_PRIVATE = frozenset({"set-cookie", "set-cookie2"})  # a session's secret, which nobody keeps


class Exchange:
    """Sends one parcel once; `status` and `wire` tell how far it came, also after a failure."""

    def __init__(self, call: Call, limits: Limits, watch: Watch) -> None:
        self.status: int | None = None
        self._call = call
        self._limits = limits
        self._watch = watch
        self._intake: Intake | None = None

    @property
    def wire(self) -> int | None:
        """Bytes of the body as sent; None where no answer began."""
        return None if self._intake is None else self._intake.wire

    def run(self, adapter: Adapter, parcel: PreparedCall) -> Answer:
        """Returns the complete answer; raises CallUnsent, CallUnanswered or BodyTooLarge."""
        raw: HTTPResponse | None = None
        try:
            raw = adapter.transmit(parcel)
            answer = self._receive(raw)
        except Exception as error:  # noqa: BLE001  whatever the HTTP stack raises may hold the URL and its secrets
            if raw is not None:
                raw.close()
            raise self._failure(error) from None
        raw.release_conn()
        return answer

    def _receive(self, raw: HTTPResponse) -> Answer:
        self.status = raw.status
        self._intake = Intake(raw, self._limits.max_body)
        body = self._intake.read()
        self._watch.let_go()
        if self._watch.expired:  # a body without a length looks whole when it is cut
            raise TimeoutError
        call = self._call
        return Answer(raw.status, _plain(raw.headers), body, call.url, call.id, call.method, call.account)

    def _failure(self, error: Exception) -> CallError:
        call = self._call
        place = place_of(call.method, call.url, call.account)
        if isinstance(error, TooLarge):
            return BodyTooLarge(f"{place}: {error}; ask for smaller pages or raise max_body.", call.id)
        told = redact(words(error, self._watch, self._limits))
        if self._watch.sent:
            return CallUnanswered(f"{place}: {told}; the far end may have acted on it all the same.", call.id)
        return CallUnsent(f"{place}: not sent: {told}; check base_url, the network and the far end.", call.id)


def _plain(headers: HTTPHeaderDict) -> Mapping[str, str]:
    """Returns the headers by lower-case name; those that came several times are joined by commas."""
    pairs = ((name.lower(), value) for name, value in headers.itermerged())
    return {name: value for name, value in pairs if name not in _PRIVATE}
