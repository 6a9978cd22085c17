"""What the authorization server thinks of a token, behind one `check`: RFC 7662, Ping's grant, or a plain GET.

Asked by people, before an account is said to need a login, and before an ambiguous rejection costs a refresh; never on
the way of a call that goes well.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from jobs.contract import Answer, BadAnswer, Json
from worker.auth.account import Account
from worker.auth.client import Parameters, client_part
from worker.auth.discovery import Endpoints
from worker.auth.snapshot import Token
from worker.model.errors import CallError, CredentialError, StoreError
from worker.model.logins import ValidateOptions
from worker.model.records import Purpose
from worker.vault.redact import redact
from worker.vault.secret import Secret
from worker.wire.line import Line
from worker.wire.outgoing import About, Outgoing, Reply

PING = "urn:pingidentity.com:oauth2:grant_type:validate_bearer"
_INTROSPECTION = ValidateOptions(kind="introspect")
_MOST_CODE = 64  # characters of an error code
_MOST_LIFE_S = 315_360_000.0  # ten years


@dataclass(frozen=True)
class Opinion:
    """What came of a check; `good` is None where nobody could or would tell, and then the token counts as before."""

    good: bool | None
    why: str
    expires_at: datetime | None = None
    scope: str | None = None
    call_id: int | None = None

    def left_s(self, now: datetime) -> float | None:
        """Returns how long the token still lives, None where that was not said."""
        return (self.expires_at - now).total_seconds() if self.expires_at else None

    def gains_s(self, known: datetime | None) -> float:
        """Returns how much longer a good token lives than was known."""
        if not self.good or self.expires_at is None or known is None:
            return 0.0
        return (self.expires_at - known).total_seconds()


@dataclass(frozen=True)
class Validator:
    """Asks for one account; safe for any number of threads."""

    account: Account
    line: Line
    endpoints: Endpoints
    now: Callable[[], datetime]

    @property
    def configured(self) -> bool:
        """Tells whether there may be somebody to ask; no network."""
        options = self.account.options
        return bool(options.validation or options.introspect_url or options.issuer)

    def check(self, token: Token, about: About | None = None) -> Opinion:
        """Returns what the server says of a token; whatever goes wrong is an opinion too.

        `about` names the run on whose behalf it is asked, for the trail.
        """
        style = self.account.options.validation or _INTROSPECTION
        about = about or About(self.account.name, Purpose.VALIDATE, tenant=self.account.options.tenant or None)
        about = replace(about, purpose=Purpose.VALIDATE, generation_used=token.generation or None)
        try:
            url = self._url(style)
            if not url:
                return Opinion(None, "nobody to ask: the account names neither validate nor introspect_url")
            return self._read(self.line.send(self._question(style, url, token.bearer), about), style)
        except (CallError, StoreError, CredentialError) as error:
            return Opinion(None, str(error), call_id=getattr(error, "call_id", None))

    def _url(self, style: ValidateOptions) -> str | None:
        if style.url:
            return self.account.options.filled(style.url)
        return self.endpoints.token() if style.kind == "ping" else self.endpoints.introspect()

    def _question(self, style: ValidateOptions, url: str, bearer: Secret) -> Outgoing:
        headers: dict[str, str | Secret] = {"Accept": "application/json"}
        if style.kind == "get":
            own = {} if style.param else {"Authorization": Secret(f"Bearer {bearer.reveal()}")}
            sent = self.account.filled(self.account.options.headers)
            return Outgoing(
                "GET", url, params={style.param: bearer} if style.param else {}, headers=sent | headers | own
            )
        asked: Parameters = {"grant_type": PING} if style.kind == "ping" else {"token_type_hint": "access_token"}
        client = client_part(self.account, url)
        return Outgoing(
            "POST", url, headers={**headers, **client.headers}, form=asked | client.parameters | {"token": bearer}
        )

    def _read(self, reply: Reply, style: ValidateOptions) -> Opinion:
        answer, body = reply.answer, _object(reply.answer)
        place = f"{answer.url} answered {answer.status}"
        code = body.get("error")
        told = f"{place} {redact(code[:_MOST_CODE])}" if isinstance(code, str) else place
        if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES and body.get("error") in (None, ""):
            good = self._says_good(body, style)
            words = {True: "and calls the token good", False: "and calls the token bad", None: "without saying"}
            scope = body.get("scope")
            text = scope if isinstance(scope, str) else None
            return Opinion(good, f"{place} {words[good]}", self._end(body), text, reply.call_id)
        bad = self._means_bad(answer.status, code, style)
        return Opinion(False if bad else None, told, call_id=reply.call_id)

    def _says_good(self, body: Mapping[str, Json], style: ValidateOptions) -> bool | None:
        """Returns what a good answer says: introspection must say `active`, the others only have to be there."""
        active = body.get("active")
        if isinstance(active, bool):
            return active
        return None if style.kind == "introspect" and "expires_in" not in body else True

    def _means_bad(self, status: int, code: object, style: ValidateOptions) -> bool:
        """Tells whether a refusal is about the token, not about the client that asked."""
        if style.kind == "ping":
            return code == "invalid_grant"
        rejections = {HTTPStatus.UNAUTHORIZED.value, *self.account.options.reject_statuses}
        return style.kind == "get" and (status in rejections or code == "invalid_token")

    def _end(self, body: Mapping[str, Json]) -> datetime | None:
        """Returns when the token lapses: `exp` since 1970 (RFC 7662 section 2.2), `expires_in` from now."""
        left_s, at_s = _number(body.get("expires_in")), _number(body.get("exp"))
        if left_s is not None and left_s <= _MOST_LIFE_S:
            return self.now() + timedelta(seconds=left_s)
        latest_s = self.now().timestamp() + _MOST_LIFE_S
        return datetime.fromtimestamp(at_s, UTC) if at_s is not None and at_s < latest_s else None


def _object(answer: Answer) -> Mapping[str, Json]:
    try:
        body = answer.json()
    except BadAnswer:
        return {}
    return body if isinstance(body, dict) else {}


def _number(value: Json) -> float | None:
    """Returns a number of 0 or more, also from a text; some servers write floats, some quote them."""
    try:
        number = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else -1.0
    except (ValueError, OverflowError):
        return None
    return number if number >= 0.0 else None
