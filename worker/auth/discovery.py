"""Where an account's authorization server listens: what the options say, otherwise what its issuer publishes.

RFC 8414 section 3 and OpenID Connect Discovery 1.0 section 4; the document must name the very issuer it was asked of.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import urlsplit

from jobs.contract import Answer, BadAnswer, Json
from worker.auth.account import Account
from worker.model.errors import AccountBlocked, CallError, StoreError, TokenUnavailable
from worker.model.moments import elapsed_s
from worker.model.records import Purpose
from worker.wire.line import Line
from worker.wire.outgoing import About, Outgoing
from worker.wire.target import BadTarget, parse

_DAY_S = 86_400.0
_OK = 200


class Endpoints:
    """The endpoints of one account's authorization server; safe for any number of threads.

    Each method returns a URL, None where there is no such endpoint. Metadata is fetched where an option is missing and
    `issuer` is set, kept for a day, and fetched anew after `forget`. Raises TokenUnavailable where it cannot be had
    now, AccountBlocked where it must not be used.
    """

    def __init__(self, account: Account, line: Line, elapsed: Callable[[], float] = elapsed_s) -> None:
        self._account = account
        self._line = line
        self._elapsed = elapsed
        self._lock = threading.Lock()
        self._known: Mapping[str, Json] = {}
        self._until_s = float("-inf")

    def token(self) -> str | None:
        """Returns the token endpoint (RFC 6749 section 3.2)."""
        return self._endpoint(self._account.options.token_url, "token_endpoint")

    def authorize(self) -> str | None:
        """Returns the authorization endpoint (RFC 6749 section 3.1)."""
        return self._endpoint(self._account.options.authorize_url, "authorization_endpoint")

    def device(self) -> str | None:
        """Returns the device authorization endpoint (RFC 8628 section 4)."""
        return self._endpoint(self._account.options.device_url, "device_authorization_endpoint")

    def introspect(self) -> str | None:
        """Returns the introspection endpoint (RFC 7662)."""
        return self._endpoint(self._account.options.introspect_url, "introspection_endpoint")

    def revoke(self) -> str | None:
        """Returns the revocation endpoint (RFC 7009)."""
        return self._endpoint(self._account.options.revoke_url, "revocation_endpoint")

    def names_itself(self) -> bool:
        """Tells whether the issuer says that its answers to logins name it (RFC 9207 section 3)."""
        option = "authorization_response_iss_parameter_supported"
        return bool(self._account.options.issuer) and self._metadata().get(option) is True

    def forget(self) -> None:
        """Lets the next question fetch anew: an endpoint did not answer as one; the old document helps out."""
        self._until_s = float("-inf")

    def _endpoint(self, option: str, name: str) -> str | None:
        if option:
            return self._account.options.filled(option)
        found = self._metadata().get(name) if self._account.options.issuer else None
        if not isinstance(found, str) or not found:
            return None
        self._check_origin(found, name)
        return found

    def _check_origin(self, url: str, name: str) -> None:
        """Refuses an endpoint elsewhere than at the issuer or an allowed origin: secrets would be sent there."""
        options = self._account.options
        allowed = {parse(known).origin for known in (options.issuer, options.base_url, *options.origins)}
        try:
            origin = parse(url).origin
        except BadTarget:
            origin = ""
        if origin not in allowed:
            where = origin or "no place that can be read"
            problem = f"{options.issuer} names a {name} at {where}; if it is to be trusted, add that to origins"
            raise AccountBlocked(f"account {self._account.name}: {problem}", self._account.name)

    def _metadata(self) -> Mapping[str, Json]:
        with self._lock:
            if self._elapsed() >= self._until_s:
                self._known = self._fetched()
                self._until_s = self._elapsed() + _DAY_S
            return self._known

    def _fetched(self) -> Mapping[str, Json]:
        """Returns the issuer's document; an older one where a newer cannot be had."""
        troubles: list[str] = []
        for url in _places(self._account.options.issuer):
            try:
                return self._document(self._asked(url))
            except (CallError, StoreError, BadAnswer) as error:
                troubles.append(str(error))
            except AccountBlocked:
                if not self._known:
                    raise
        if self._known:
            return self._known
        name = self._account.name
        raise TokenUnavailable(f"account {name}: its issuer's metadata cannot be had: {'; '.join(troubles)}", name)

    def _asked(self, url: str) -> Answer:
        options = self._account.options
        about = About(self._account.name, Purpose.DISCOVERY, tenant=options.tenant or None)
        return self._line.send(Outgoing("GET", url, headers={"Accept": "application/json"}), about).answer

    def _document(self, answer: Answer) -> Mapping[str, Json]:
        """Returns the metadata in an answer; raises BadAnswer, and AccountBlocked where it is another issuer's."""
        if answer.status != _OK:
            raise BadAnswer(f"{answer.url} answered {answer.status}")
        body = answer.json()
        if not isinstance(body, dict):
            raise BadAnswer(f"{answer.url} answered with JSON that is no object")
        if body.get("issuer") != self._account.options.issuer:  # RFC 8414 section 3.3: must not be used
            problem = f"{answer.url} speaks for another issuer; write the account's issuer as it is published there"
            raise AccountBlocked(f"account {self._account.name}: {problem}", self._account.name)
        return body


def _places(issuer: str) -> Iterator[str]:
    """Yields where an issuer publishes: RFC 8414 puts its word before the path, OpenID behind it."""
    parts = urlsplit(issuer)
    path = parts.path.rstrip("/")
    yield f"{parts.scheme}://{parts.netloc}/.well-known/oauth-authorization-server{path}"
    yield f"{parts.scheme}://{parts.netloc}{path}/.well-known/openid-configuration"
