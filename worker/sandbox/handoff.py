"""The hand-off mode: a refresh token serves as access token, and an answer near its expiry brings the next one."""

import secrets
from dataclasses import dataclass, field

import orjson
from aiohttp import web

from worker.sandbox.options import HandOff
from worker.sandbox.tokens import Issued, Tokens


@dataclass(slots=True)
class _Handed:
    until: float  # when the old token dies
    new: Issued


@dataclass(slots=True)
class HandOffs:
    """The tokens handed over by one API; not safe for threads."""

    options: HandOff
    tokens: Tokens
    _handed: dict[int, _Handed] = field(default_factory=dict)  # by the serial of the old one

    def bearer(self, token: str) -> Issued | None:
        """Returns the issue behind a refresh token that is good in place of the access token, or None."""
        issued = self.tokens.find(token)
        if issued is None or issued.refresh != token or issued.refresh_dead or issued.access_dead:
            return None
        handed = self._handed.get(issued.serial)
        if handed is not None:
            return issued if self.tokens.now() < handed.until else None
        return None if issued.spent or not self.tokens.seconds_left(issued) else issued

    def renewed(self, token: str) -> Issued | None:
        """Returns what an answer brings to who passed this good refresh token: None until near its expiry.

        Calls that race get the same new token, or each one of its own that ends the one before it.
        """
        issued = self.bearer(token)
        if issued is None:
            return None
        handed = self._handed.get(issued.serial)
        if handed is None:
            if self.tokens.seconds_left(issued) > self.options.window_s:
                return None
            handed = _Handed(self.tokens.now() + self.options.grace_s, self._next(issued))
            self._handed[issued.serial] = handed
        elif not self.options.same:
            handed.new.access_dead = handed.new.refresh_dead = True
            handed.new = self._next(issued)
        return handed.new

    def _next(self, issued: Issued) -> Issued:
        """Records the successor of an issue, whose refresh token no longer pays at the token endpoint."""
        pair = (secrets.token_urlsafe(32), secrets.token_urlsafe(32))
        new = self.tokens.record(issued.subject, *pair, issued.refresh)
        issued.spent = True
        issued.access_dead = False  # whatever the manners are: it was alive, and lives until its grace is over
        return new


def carried(answer: web.StreamResponse, new: Issued, options: HandOff) -> web.StreamResponse:
    """Returns the answer with the new token in the header and the body field of the options."""
    if options.header:
        answer.headers[options.header] = new.refresh or ""
    if options.body_field and isinstance(answer, web.Response) and isinstance(answer.body, bytes):
        data = orjson.loads(answer.body) if answer.content_type == "application/json" else None
        if isinstance(data, dict):
            answer.body = orjson.dumps(data | {options.body_field: new.refresh})
    return answer
