"""Tells an authorization server that tokens are no longer used, so that it ends them (RFC 7009)."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from jobs.contract import Answer, BadAnswer
from worker.auth.account import Account
from worker.auth.answer import retry_after_s
from worker.auth.client import Parameters, client_part
from worker.auth.discovery import Endpoints
from worker.auth.sealing import Pair
from worker.model.errors import CallError, LoginFailed, StoreError
from worker.model.moments import utc_now
from worker.model.records import Purpose
from worker.vault.redact import redact
from worker.vault.secret import Secret
from worker.wire.line import Line
from worker.wire.outgoing import About, Outgoing

_TRIES = 3
_BETWEEN_S = 2.0
_MOST_BETWEEN_S = 60.0  # of a Retry-After, for a person who watches
_MOST_TEXT = 64  # characters of an error code
_BUSY = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


@dataclass(frozen=True)
class Revoker:
    """Ends one account's tokens at its server."""

    account: Account
    line: Line
    endpoints: Endpoints
    now: Callable[[], datetime] = utc_now
    wait: Callable[[float], None] = time.sleep

    def revoke(self, pair: Pair, generation: int) -> str:
        """Ends both tokens and returns in words what came of it; one that the server does not know counts as ended.

        The refresh token goes first: many servers end its access tokens with it. Raises LoginFailed where the server
        could not be told, TokenUnavailable or AccountBlocked where its metadata cannot be had.
        """
        url = self.endpoints.revoke()
        if url is None:
            return "the server was not told, for no revoke_url is known: it takes the token until that lapses"
        told = [self._ended(url, pair.refresh, "refresh_token", generation)] if pair.refresh else []
        told.append(self._ended(url, pair.access, "access_token", generation))
        return "; ".join(dict.fromkeys(told))

    def _ended(self, url: str, token: Secret, kind: str, generation: int) -> str:
        for left in reversed(range(_TRIES)):
            answer = self._sent(url, token, kind, generation)
            if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
                return "the server ended the token"
            code = _code(answer)
            if code == "unsupported_token_type":  # section 2.2.1
                return f"the server does not end tokens of the kind {kind}: it takes that until it lapses"
            asked_s = retry_after_s(answer.headers, self.now())
            if answer.status not in _BUSY or not left or (asked_s or 0.0) > _MOST_BETWEEN_S:
                later = f"; try again in {asked_s:.0f} s" if asked_s else ""
                raise self._failed(f"{answer.url} answered {answer.status} {redact(code)}".rstrip() + later)
            self.wait(max(asked_s or 0.0, _BETWEEN_S))
        raise AssertionError("the last try returned or raised")

    def _sent(self, url: str, token: Secret, kind: str, generation: int) -> Answer:
        client = client_part(self.account, url)
        form: Parameters = {"token": token, "token_type_hint": kind}
        form |= client.parameters
        outgoing = Outgoing("POST", url, headers={"Accept": "application/json", **client.headers}, form=form)
        tenant = self.account.options.tenant or None
        about = About(self.account.name, Purpose.REVOKE, tenant=tenant, generation_used=generation or None)
        try:
            return self.line.send(outgoing, about).answer
        except (CallError, StoreError) as error:
            raise self._failed(str(error)) from None

    def _failed(self, why: str) -> LoginFailed:
        name = self.account.name
        return LoginFailed(f"account {name} is not logged out, and its token is kept: {why}", name)


def _code(answer: Answer) -> str:
    """Returns the error code of an answer, empty where it has none."""
    try:
        body = answer.json()
    except BadAnswer:
        return ""
    code = body.get("error") if isinstance(body, dict) else None
    return code[:_MOST_TEXT] if isinstance(code, str) else ""
