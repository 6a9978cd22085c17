"""Assertions: short-lived JWTs signed with the account's private key (RFC 7523), each for one request.

joserfc, the extra `jwt`, is loaded when the first one is signed.
"""

import secrets
from collections.abc import Callable
from datetime import datetime

from jobs.contract import Json
from worker.auth.account import Account
from worker.model.errors import AccountBlocked
from worker.model.moments import utc_now
from worker.vault.secret import Secret

Claims = dict[str, Json]
_MOST_AHEAD_S = 30.0  # of our clock to a server's that takes no assertion from the future


def grant_assertion(account: Account, endpoint: str, now: Callable[[], datetime] = utc_now) -> Secret:
    """Returns an assertion that stands for a login (RFC 7523 section 2.1); raises AccountBlocked."""
    options = account.options.assertion
    claims = _claims(account, options.issuer, options.subject, endpoint, now())
    return _signed(account, options.claims | claims)


def client_assertion(account: Account, endpoint: str, now: Callable[[], datetime] = utc_now) -> Secret:
    """Returns an assertion that proves the client (RFC 7523 section 2.2); raises AccountBlocked."""
    return _signed(account, _claims(account, "", "", endpoint, now()))


def check_key(account: Account) -> None:
    """Raises AccountBlocked where the private key cannot sign as the options say."""
    _signed(account, {})


def _claims(account: Account, issuer: str, subject: str, endpoint: str, now: datetime) -> Claims:
    options = account.options
    life_s = max(int(options.assertion.lifetime), 1)
    begin_s = int(now.timestamp() - min(_MOST_AHEAD_S, life_s / 10))
    return {
        "iss": issuer or options.client_id,
        "sub": subject or options.client_id,
        "aud": options.assertion.audience or endpoint,
        "iat": begin_s,
        "exp": begin_s + life_s,
        "jti": secrets.token_urlsafe(24),
    }


def _signed(account: Account, claims: Claims) -> Secret:
    """Returns the claims as a signed JWT; no error repeats the key."""
    if account.private_key is None:
        raise _blocked(account, "private_key is missing, with which its assertions are signed")
    try:
        from joserfc import jwk, jwt  # noqa: PLC0415  an extra: only who signs needs it
        from joserfc.errors import JoseError  # noqa: PLC0415  likewise
    except ImportError:
        raise _blocked(account, "its assertions are signed with joserfc: install integration-worker[jwt]") from None
    algorithm = account.options.assertion.algorithm
    header = {"alg": algorithm, "typ": "JWT"} | ({"kid": account.options.key_id} if account.options.key_id else {})
    kind = jwk.ECKey if algorithm.startswith("ES") else jwk.RSAKey
    try:
        key = kind.import_key(account.private_key.reveal())
        return Secret(jwt.encode(header, claims, key, algorithms=[algorithm]))
    except (JoseError, ValueError, TypeError):
        expected = f"expected a private {kind.key_type} key in PEM without a passphrase"
        problem = f"private_key cannot sign with {algorithm}; {expected}"
        raise _blocked(account, problem) from None


def _blocked(account: Account, problem: str) -> AccountBlocked:
    return AccountBlocked(f"account {account.name}: {problem}", account.name)
