"""What went wrong on the way, in our own words: the texts of requests and urllib3 hold whole URLs."""

import http.client
import ssl
from collections.abc import Iterator

from urllib3.exceptions import IncompleteRead, InvalidHeader

from worker.wire.body import BadBody
from worker.wire.connections import Unreachable
from worker.wire.outgoing import Limits
from worker.wire.watchdog import Watch

_WORDS: tuple[tuple[type[BaseException], str], ...] = (
    (http.client.RemoteDisconnected, "the connection was closed without an answer"),
    (ConnectionResetError, "the connection was reset"),
    (BrokenPipeError, "the connection was closed while the request was being sent"),
    (http.client.IncompleteRead, "the answer broke off"),
    (http.client.HTTPException, "what came is not an HTTP answer"),
    (InvalidHeader, "the answer's headers contradict each other"),
)


def words(error: Exception, watch: Watch, limits: Limits) -> str:
    """Returns what happened, as half a sentence without any secret."""
    if watch.expired or watch.remaining_s() <= 0:
        return f"no complete {'answer' if watch.sent else 'connection'} within {_deadline(watch, limits)}"
    for cause in _chain(error):
        told = _told(cause, watch, limits)
        if told:
            return told
    return f"the connection failed ({type(error).__name__})"


def _deadline(watch: Watch, limits: Limits) -> str:
    if watch.length_s < limits.deadline_s:
        return f"the {max(watch.length_s, 0.0):.1f} s that were left of the run's timeout"
    return f"the deadline of {limits.deadline_s:g} s"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yields an error and what it came from: the first cause says most, so the wrappers come last."""
    found = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    yield from reversed(found)


def _told(cause: BaseException, watch: Watch, limits: Limits) -> str:
    if isinstance(cause, Unreachable | BadBody):
        return str(cause)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its TLS certificate was refused: {cause.verify_message}"
    if isinstance(cause, ssl.SSLError):
        return f"TLS failed: {(cause.reason or 'no reason given').replace('_', ' ').lower()}"
    if isinstance(cause, IncompleteRead):
        return f"its body ended after {cause.partial} of {cause.partial + cause.expected} bytes"
    if isinstance(cause, TimeoutError):
        return f"it sent nothing for {limits.read_s:g} s" if watch.sent else "the connection took too long"
    return next((text for kind, text in _WORDS if isinstance(cause, kind)), "")
