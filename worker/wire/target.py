"""Where a request goes: an URL taken apart once, so that what was checked is what is dialled."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import parse_qsl, quote, urlsplit

from worker.model.urls import is_loopback
from worker.vault.redact import MASK, redact
from worker.vault.secret import Secret
from worker.vault.shapes import sensitive

_PORTS = {"https": 443, "http": 80}
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\]")  # a backslash is a slash to some parsers
_HOST = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?")
_PATH_SAFE = "/%:@!$&'()*+,;=~"
_QUERY_SAFE = _PATH_SAFE + "?[]"
_VALUE_SAFE = "/:@!$'()*,;~[]"
_SECRET_PARAMS = frozenset({"code", "key", "sig", "signature", "ticket", "auth", "session", "jwt"})
_SHOWN_LENGTH = 2000  # characters of a URL in rows and messages


class BadTarget(ValueError):
    """The text is no URL that may be called; says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """One URL in parts that need no second parser: lower-case host, path and query percent-encoded."""

    scheme: str
    host: str  # an IPv6 address stands without brackets
    port: int
    path: str
    query: str
    origin: str  # scheme://host[:port], the port only where it is not the scheme's own

    @property
    def loopback(self) -> bool:
        """True where the host is this machine."""
        return is_loopback(self.host)

    @property
    def path_and_query(self) -> str:
        """The request target (RFC 9112 section 3.2.1)."""
        return f"{self.path}?{self.query}" if self.query else self.path


@lru_cache(maxsize=1024)
def parse(url: str) -> Target:
    """Returns the URL's parts, without its fragment; raises BadTarget."""
    if _FORBIDDEN.search(url):
        raise BadTarget("its URL holds a control character or a backslash")
    try:
        parts = urlsplit(url)
        host, port = _ascii(parts.hostname or ""), parts.port
    except ValueError:
        raise BadTarget("its URL cannot be read") from None
    if parts.scheme not in _PORTS:
        raise BadTarget(f"its URL begins with {parts.scheme or 'no scheme'}; expected https")
    if "@" in parts.netloc:
        raise BadTarget("its URL holds a user name; secrets belong into the account")
    if not (_HOST.fullmatch(host) or _is_address(host)):
        raise BadTarget("its URL names no proper host")
    port = port or _PORTS[parts.scheme]
    shown = f"[{host}]" if ":" in host else host
    origin = f"{parts.scheme}://{shown}" + (f":{port}" if port != _PORTS[parts.scheme] else "")
    path = "/" + quote(parts.path, safe=_PATH_SAFE).lstrip("/")  # `//host` would be read as a host
    return Target(parts.scheme, host, port, path, quote(parts.query, safe=_QUERY_SAFE), origin)


def _ascii(host: str) -> str:
    return host if host.isascii() else host.encode("idna").decode()


def _is_address(host: str) -> bool:
    try:
        return bool(ip_address(host))
    except ValueError:
        return False


def origin_of(url: str) -> str:
    """Returns an URL's origin (RFC 6454): scheme, host and port; raises BadTarget."""
    return parse(url).origin


def origins_of(urls: Iterable[str]) -> frozenset[str]:
    """Returns the origins of several URLs, as `Line` wants them; raises BadTarget."""
    return frozenset(origin_of(url) for url in urls)


def with_params(target: Target, params: Mapping[str, str | Secret]) -> str:
    """Returns the request target with the parameters behind the URL's own query; secrets in clear."""
    if not params:
        return target.path_and_query
    clear = ((name, value.reveal() if isinstance(value, Secret) else value) for name, value in params.items())
    query = "&".join([f"{_name(name)}={quote(value, safe='')}" for name, value in clear])
    return f"{target.path}?{target.query}&{query}" if target.query else f"{target.path}?{query}"


def shown(target: Target, params: Mapping[str, str | Secret], *, bare: bool) -> str:
    """Returns the URL for rows, logs and errors, at most 2,000 characters without a secret; `bare`: without a query."""
    url = redact(target.origin + target.path)
    if not bare and (params or target.query):
        pairs = [*parse_qsl(target.query, keep_blank_values=True), *params.items()]
        url += "?" + "&".join([f"{_name(name)}={_harmless(name, value)}" for name, value in pairs])
    return url[:_SHOWN_LENGTH]


@lru_cache(maxsize=1024)
def _name(name: str) -> str:
    """Returns a parameter's name as a query holds it; names repeat from call to call."""
    return quote(name, safe="")


def _harmless(name: str, value: str | Secret) -> str:
    if isinstance(value, Secret) or sensitive(name) or name.lower() in _SECRET_PARAMS:
        return MASK
    return quote(redact(value), safe=_VALUE_SAFE)
