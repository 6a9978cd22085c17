"""One token request over an account's line, and what came of it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from worker.auth.account import Account
from worker.auth.answer import Granted, Refusal, http_date, read_answer
from worker.auth.asking import token_request
from worker.auth.discovery import Endpoints
from worker.auth.grants import Grant, Verdict
from worker.auth.validation import Validator
from worker.model.errors import (
    AccountBlocked,
    BodyTooLarge,
    CallError,
    CallRefused,
    CallUnanswered,
    StoreError,
    TokenUnavailable,
)
from worker.wire.line import Line
from worker.wire.outgoing import About, Outgoing, Reply


@dataclass(frozen=True)
class TokenReply:
    """What one token request brought; `unanswered`: it left, and nothing complete came back."""

    result: Granted | Refusal
    call_id: int | None = None
    skew_s: float = 0.0  # how far ahead of ours the server's clock is, where its answer carries a date
    unanswered: bool = False


class TokenEndpoint:
    """An account's token endpoint."""

    def __init__(self, account: Account, line: Line, endpoints: Endpoints, now: Callable[[], datetime]) -> None:
        self._account = account
        self._line = line
        self._endpoints = endpoints
        self._now = now
        self.validator = Validator(account, line, endpoints, now)

    def url(self) -> str:
        """Returns where it is; raises TokenUnavailable, AccountBlocked."""
        url = self._endpoints.token()
        if url is None:
            problem = "its issuer publishes no token endpoint; write its token_url"
            raise AccountBlocked(f"account {self._account.name}: {problem}", self._account.name)
        return url

    def ask(self, grant: Grant, generation: int) -> TokenReply:
        """Sends one token request, once its trail row is durable, and never repeats it.

        `generation` is that of the stored token, for the trail. Every failure of the call is an outcome.
        """
        outcome = self._asked(grant, generation)
        if isinstance(outcome.result, Refusal) and outcome.result.verdict is not Verdict.DEAD:
            self._endpoints.forget()  # it may have moved
        return outcome

    def _asked(self, grant: Grant, generation: int) -> TokenReply:
        try:
            return self._read(
                self._sent(token_request(self._account, self.url(), grant.parameters()), grant, generation), grant
            )
        except AccountBlocked as error:
            return TokenReply(Refusal(Verdict.CONFIGURATION, str(error)))
        except CallRefused as error:
            return TokenReply(Refusal(Verdict.CONFIGURATION, str(error)), error.call_id)
        except (CallUnanswered, BodyTooLarge) as error:
            doubt = Refusal(Verdict.TRANSIENT, str(error), in_doubt=True)
            return TokenReply(doubt, error.call_id, unanswered=isinstance(error, CallUnanswered))
        except (CallError, StoreError, TokenUnavailable) as error:  # surely never left
            return TokenReply(Refusal(Verdict.TRANSIENT, str(error)), getattr(error, "call_id", None))

    def _sent(self, outgoing: Outgoing, grant: Grant, generation: int) -> Reply:
        about = About(
            account=self._account.name,
            purpose=grant.purpose,
            tenant=self._account.options.tenant or None,
            generation_used=generation or None,
            durable=True,
        )
        return self._line.send(outgoing, about)

    def _read(self, reply: Reply, grant: Grant) -> TokenReply:
        now = self._now()
        server = http_date(reply.answer.headers.get("date", ""))
        skew_s = (server - now).total_seconds() if server else 0.0
        return TokenReply(read_answer(reply.answer, grant, now), reply.call_id, skew_s)
