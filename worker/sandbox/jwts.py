"""Signed assertions (RFC 7523): the public keys of clients, and the check of one assertion against them."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from joserfc import jwk, jws, jwt
from joserfc.errors import JoseError

ALGORITHMS = tuple(f"{kind}{bits}" for kind in ("RS", "PS", "ES") for bits in (256, 384, 512))
_MOST_S = 3600.0  # how far ahead an assertion may expire
Claims = dict[str, object]


class AssertionRefusedError(Exception):
    """Says what is wrong with an assertion, without a word of it."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What an assertion must say; `issuer` None: any client with a registered key."""

    audiences: tuple[str, ...]
    leeway_s: float = 0.0
    issuer: str | None = None


@dataclass(slots=True)
class Assertions:
    """Registered keys and the assertions seen so far; not safe for threads."""

    clock: Callable[[], float] = time.time
    _keys: dict[str, dict[str, jwk.Key]] = field(default_factory=dict)
    _seen: dict[tuple[str, str], float] = field(default_factory=dict)

    def register(self, client_id: str, key: str | Mapping[str, object], kid: str | None = None) -> str:
        """Adds a client's public key, as PEM or JWK (text or object), and returns its key id.

        Raises ValueError when it is no public key of RSA or EC.
        """
        found = _public_key(key)
        kid = kid or found.kid or found.thumbprint()
        self._keys.setdefault(client_id, {})[kid] = found
        return kid

    def registered(self) -> dict[str, list[str]]:
        """Returns the key ids by client."""
        return {client: sorted(keys) for client, keys in self._keys.items()}

    def claims(self, text: str, expected: Expected) -> Claims:
        """Returns the claims of a good assertion and marks it as used; raises AssertionRefusedError."""
        claims = self._verified(text)
        issuer = claims["iss"]
        if expected.issuer not in (None, issuer):
            raise AssertionRefusedError("iss is not the client that asks")
        audience = claims.get("aud")
        named = audience if isinstance(audience, list) else [audience]
        if not any(one in expected.audiences for one in named):
            raise AssertionRefusedError(f"aud must be one of {', '.join(expected.audiences)}")
        if not isinstance(claims.get("sub"), str):
            raise AssertionRefusedError("sub is missing")
        self._check_times(claims, expected.leeway_s)
        self._use_up(str(issuer), claims)
        return claims

    def _verified(self, text: str) -> Claims:
        try:
            opened = jws.extract_compact(text.encode())
            said = orjson.loads(opened.payload or b"")
            key = self._key_of(str(said["iss"]), opened.headers().get("kid"))
            return dict(jwt.decode(text, key, algorithms=ALGORITHMS).claims)
        except (JoseError, ValueError, KeyError, TypeError):
            raise AssertionRefusedError("the assertion is no JWT signed with a registered key") from None

    def _key_of(self, issuer: str, kid: str | None) -> jwk.Key:
        keys = self._keys[issuer]
        if kid is None and len(keys) == 1:
            return next(iter(keys.values()))
        return keys[str(kid)]

    def _check_times(self, claims: Claims, leeway_s: float) -> None:
        now = self.clock()
        expires = _time(claims, "exp", None)
        if expires + leeway_s <= now:
            raise AssertionRefusedError("exp is over")
        if expires - leeway_s > now + _MOST_S:
            raise AssertionRefusedError("exp is more than an hour ahead")
        for name in ("iat", "nbf"):
            if _time(claims, name, now) - leeway_s > now:
                raise AssertionRefusedError(f"{name} is in the future")

    def _use_up(self, issuer: str, claims: Claims) -> None:
        jti = claims.get("jti")
        if not isinstance(jti, str) or not jti:
            raise AssertionRefusedError("jti is missing")
        now = self.clock()
        self._seen = {key: until for key, until in self._seen.items() if until > now - _MOST_S}
        if (issuer, jti) in self._seen:
            raise AssertionRefusedError("jti was used before")
        self._seen[issuer, jti] = _time(claims, "exp", None)


def _time(claims: Claims, name: str, default: float | None) -> float:
    value = claims.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise AssertionRefusedError(f"{name} must be seconds since 1970")
    return float(value)


def _public_key(key: str | Mapping[str, object]) -> jwk.Key:
    """Returns the key behind PEM or JWK; raises ValueError."""
    try:
        found = _from_pem(key) if isinstance(key, str) and "-----BEGIN" in key else _from_jwk(key)
    except (JoseError, ValueError, TypeError, KeyError):
        found = None
    if found is None or found.is_private or found.key_type not in ("RSA", "EC"):
        raise ValueError("key must be a public key of RSA or EC, as PEM or JWK")
    return found


def _from_pem(key: str) -> jwk.Key | None:
    loaded = load_pem_public_key(key.encode())
    if isinstance(loaded, rsa.RSAPublicKey):
        return jwk.import_key(key, "RSA")
    return jwk.import_key(key, "EC") if isinstance(loaded, ec.EllipticCurvePublicKey) else None


def _from_jwk(key: str | Mapping[str, object]) -> jwk.Key:
    data: dict[str, Any] = orjson.loads(key) if isinstance(key, str) else dict(key)
    return jwk.import_key(dict(data))
