"""One request from the asking to the answer: turn, token, send, once more after a rejection, again after trouble."""

import random
from collections.abc import Callable

from jobs.contract import Answer
from worker.auth.keeper import Token
from worker.auth.rejection import is_rejected
from worker.calls import retry, verdicts
from worker.calls.limits import TooLong
from worker.calls.means import Means, Subject
from worker.calls.retry import Result
from worker.model.errors import AuthRejected, CallError, CallFailed, CallUnanswered, CallUnsent
from worker.model.events import CallRetried
from worker.model.records import Purpose
from worker.wire.outgoing import Outgoing, Reply, place_of

_SLICE_S = 0.5  # how late a cancelled run is noticed while it waits
_TOKEN_S = 60.0  # patience for a token, at most
_TOO_MANY = 429
_FAILED = 400
_FORBIDDEN = 403


class Flow:
    """The way of one request; used once."""

    def __init__(self, means: Means, subject: Subject, outgoing: Outgoing, keep: Callable[[Reply], None]) -> None:
        self._means = means
        self._subject = subject
        self._run = subject.run
        self._outgoing = outgoing
        self._manner = "GET" if subject.purpose is Purpose.READ else outgoing.method  # how it may be repeated
        self._keep = keep  # is handed every reply, for its ticket
        self._tries = 0
        self._last_call: int | None = None
        self._token: Token | None = None
        self._renewed = False  # a call asks for a newer token once
        self._vouched = False  # the token is good: a 403 is the API's own word

    def answer(self) -> Answer:
        """Returns the answer, whose status is below 400.

        Raises CallError, AuthRejected and what the keeper raises, StoreError, and Interrupted.
        """
        while True:
            outcome = self._authorised()
            self._tries += 1
            wait_s = self._wait_before_next(outcome)
            if wait_s is None:
                return self._concluded(outcome)
            self._pause(wait_s)

    def _authorised(self) -> Result:
        """Sends, and where the token was rejected sends once more with a newer one."""
        outcome = self._sent(rejected=None)
        if self._renewed or not self._is_rejected(outcome) or self._is_vouched_for(outcome):
            return outcome
        self._renewed = True
        return self._sent(rejected=self._token.generation if self._token else None)

    def _is_vouched_for(self, outcome: Result) -> bool:
        """Tells whether a 403 is no word about the token: where one can ask whether that is good, one asks once."""
        if self._token is not None and isinstance(outcome, Answer) and outcome.status == _FORBIDDEN:
            about = self._subject.about(None, self._token.generation)
            self._vouched = self._means.keeper.vouches(self._token, about)
        return self._vouched

    def _sent(self, rejected: int | None) -> Result:
        self._run.check()
        self._take_turn()
        patience_s = max(min(_TOKEN_S, self._run.remaining_s()), 0.0)
        token = self._token = self._means.keeper.token(rejected=rejected, deadline_s=patience_s)
        about = self._subject.about(self._last_call, token.generation)
        try:
            with self._means.keeper.carrying(token) as carriage:
                signed = self._means.signer.sign(self._outgoing, token)
                reply = self._means.line.send(signed, about, self._run.remaining_s())
                carriage.arrived(reply.answer)
        except CallError as error:
            self._last_call = error.call_id or self._last_call
            return error
        self._last_call = reply.call_id
        self._keep(reply)
        return reply.answer

    def _take_turn(self) -> None:
        try:
            self._means.limiter.take(self._pause, self._run.remaining_s())
        except TooLong as error:
            raise CallUnsent(
                f"{self._place()}: not sent: the account's next call is due in {error}, which is after the run's "
                "timeout; if the job's retry.attempts are not used up, the run is tried again then.",
                self._last_call,
                error.wait_s,
            ) from None

    def _wait_before_next(self, outcome: Result) -> float | None:
        """Returns the seconds until the same request is sent again, or None where it is not."""
        why = retry.why_again(self._manner, outcome)
        if why is None:
            return None
        wait_s = self._asked_wait_s(outcome)
        if wait_s is None:
            wait_s = retry.backoff_s(self._tries, self._means.retry, random.random)
        if isinstance(outcome, Answer) and outcome.status == _TOO_MANY:
            self._means.limiter.pause(wait_s)
        if self._tries >= self._means.retry.attempts or wait_s > self._run.remaining_s():
            return None
        self._tell(why, wait_s)
        return wait_s

    def _tell(self, why: str, wait_s: float) -> None:
        name, call, run = self._means.name, self._last_call or 0, self._run
        self._means.events.emit(CallRetried(name, call, round(wait_s, 3), why, run.job, run.run_id))

    def _pause(self, seconds: float) -> None:
        """Waits in slices, so that a run that was cancelled does not wait on."""
        while seconds > 0:
            self._run.check()
            self._means.wait(min(seconds, _SLICE_S))
            seconds -= _SLICE_S

    def _concluded(self, outcome: Result) -> Answer:
        if isinstance(outcome, CallError):
            if self._subject.purpose is Purpose.READ or isinstance(outcome, CallUnsent):
                self._run.check()  # nothing is in doubt, so that the end of the run's time says more
            raise outcome
        place = self._place(outcome)
        if self._is_rejected(outcome):
            raise AuthRejected(verdicts.rejected(outcome, place), self._means.name)
        if outcome.status >= _FAILED:
            text = verdicts.failed(outcome, place, self._tries)
            raise CallFailed(text, outcome.status, outcome.call_id, self._asked_wait_s(outcome), outcome.body)
        if retry.why_again(self._manner, outcome) is not None:
            raise CallUnanswered(verdicts.empty(outcome, place), outcome.call_id)
        return outcome

    def _is_rejected(self, outcome: Result) -> bool:
        if not isinstance(outcome, Answer) or (self._vouched and outcome.status == _FORBIDDEN):
            return False
        return is_rejected(outcome, self._means.account.options.reject_statuses)

    def _asked_wait_s(self, outcome: Result) -> float | None:
        return retry.asked_wait_s(outcome.headers, self._means.now()) if isinstance(outcome, Answer) else None

    def _place(self, answer: Answer | None = None) -> str:
        url = self._outgoing.url.split("?")[0] if answer is None else answer.url
        return place_of(self._outgoing.method, url, self._means.name)
