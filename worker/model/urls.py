"""URLs as options: which are taken, and no password in any of them."""

import ipaddress
from urllib.parse import SplitResult, parse_qsl, urlsplit

_DATABASES = ("sqlite", "postgresql")
_SECRET_NAMES = ("password", "passwd", "passphrase", "pwd", "secret", "token")  # how names of such parameters end


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises where it is no number
    except ValueError as error:
        raise ValueError(f"expected a URL, found none that can be read: {error}") from None
    return parts


def _open(url: str) -> SplitResult:
    """Returns the parts of a URL that holds no password."""
    parts = _split(url)
    if parts.password is not None:
        raise ValueError("a URL in the configuration holds no password: take it out")
    return parts


def is_loopback(host: str) -> bool:
    """Tells whether a host is this machine by its name or address, without asking the network."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def web_url(url: str) -> str:
    """Returns the URL of an API without a slash at its end; raises ValueError."""
    parts = _open(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("expected a URL such as https://api.example.com/v1, found none")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError(
            "expected https, found http, which is taken on loopback only: credentials would be readable on the way"
        )
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("expected a URL of scheme, host and path, found a user, a query or a fragment in it")
    return url.rstrip("/")


def endpoint_url(url: str) -> str:
    """Returns a token endpoint's URL, in which `{base_url}` may stand; raises ValueError."""
    if url and not url.startswith("{base_url}"):
        web_url(url)
    return url


def origin(url: str) -> str:
    """Returns scheme and host; raises ValueError where there is more."""
    if urlsplit(web_url(url)).path:
        raise ValueError("expected scheme and host such as https://cdn.example.com, found a path behind them")
    return web_url(url)


def proxy_url(url: str) -> str:
    """Returns a proxy's URL, or the empty text; raises ValueError."""
    if url and (_open(url).scheme not in ("http", "https") or not _open(url).hostname):
        raise ValueError("expected a proxy such as http://proxy.example.com:3128, found none")
    return url


def holds_password(url: str) -> bool:
    """Tells whether a parameter of the URL is a secret, by its name."""
    return any(name.lower().endswith(_SECRET_NAMES) for name, _ in parse_qsl(url.partition("?")[2]))


def database_url(url: str) -> str:
    """Returns a database's URL; raises ValueError where it is of no known kind or holds a password."""
    scheme = url.partition("://")[0].partition("+")[0]
    if "://" not in url or scheme not in _DATABASES:
        raise ValueError("expected sqlite:///file.db or postgresql://user@host/name, found another kind of URL")
    if _split(url).password is not None or holds_password(url):
        raise ValueError('the URL holds a password: take it out and write password = { env = "NAME" } beside it')
    return url
