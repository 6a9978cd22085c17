"""One token request over an account's line: how client and grant are written, and what came of it."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote_plus

from worker.auth.account import Account
from worker.auth.answer import Granted, Refusal, http_date, read_answer
from worker.auth.grants import Grant, Parameters, Verdict
from worker.model.errors import BodyTooLarge, CallError, CallRefused, CallUnanswered, StoreError
from worker.vault.secret import Secret
from worker.wire.line import Line
from worker.wire.outgoing import About, Outgoing


@dataclass(frozen=True)
class Outcome:
    """What one token request brought; `unanswered`: it left, and nothing complete came back."""

    result: Granted | Refusal
    call_id: int | None = None
    skew_s: float = 0.0  # how far ahead of ours the server's clock is, where its answer carries a date
    unanswered: bool = False


class TokenEndpoint:
    """An account's token endpoint."""

    def __init__(self, account: Account, line: Line, now: Callable[[], datetime]) -> None:
        self._account = account
        self._line = line
        self._now = now

    def ask(self, grant: Grant, generation: int) -> Outcome:
        """Sends one token request, once its trail row is durable, and never repeats it.

        `generation` is that of the stored token, for the trail. Every failure of the call is an outcome.
        """
        about = About(
            account=self._account.name,
            purpose=grant.purpose,
            tenant=self._account.options.tenant or None,
            generation_used=generation or None,
            durable=True,
        )
        try:
            reply = self._line.send(request(self._account, grant), about)
        except CallRefused as error:
            return Outcome(Refusal(Verdict.CONFIGURATION, str(error)), error.call_id)
        except (CallUnanswered, BodyTooLarge) as error:
            doubt = Refusal(Verdict.TRANSIENT, str(error), in_doubt=True)
            return Outcome(doubt, error.call_id, unanswered=isinstance(error, CallUnanswered))
        except (CallError, StoreError) as error:  # surely never left
            return Outcome(Refusal(Verdict.TRANSIENT, str(error)), getattr(error, "call_id", None))
        now = self._now()
        server = http_date(reply.answer.headers.get("date", ""))
        skew_s = (server - now).total_seconds() if server else 0.0
        return Outcome(read_answer(reply.answer, grant, now), reply.call_id, skew_s)


def request(account: Account, grant: Grant) -> Outgoing:
    """Returns the token request of an account by a grant, its parameters in body or query as its API wants."""
    options = account.options
    basic = options.client_auth == "basic" and account.client_secret is not None
    headers: dict[str, str | Secret] = {"Accept": "application/json"}
    if basic and account.client_secret is not None:
        headers["Authorization"] = basic_header(options.client_id, account.client_secret)
    given = grant.parameters() | ({} if basic else _posted_client(account))
    in_query = options.token_params == "query"  # noqa: S105  a style, no secret
    return Outgoing(
        method="POST",
        url=options.token_endpoint,
        params=given if in_query else {},
        headers=headers,
        form=None if in_query else given,
    )


def _posted_client(account: Account) -> Parameters:
    secret: Parameters = {"client_secret": account.client_secret} if account.client_secret else {}
    return {"client_id": account.options.client_id, **secret}


def basic_header(client_id: str, client_secret: Secret) -> Secret:
    """Returns the Authorization header of a client; id and secret are form-encoded first (RFC 6749 section 2.3.1)."""
    pair = f"{quote_plus(client_id)}:{quote_plus(client_secret.reveal())}"
    return Secret(f"Basic {base64.b64encode(pair.encode('ascii')).decode('ascii')}")
