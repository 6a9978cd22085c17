"""The adapter of requests, without its Session.

What a session adds to an adapter is what a service account must not have: cookies, redirects, .netrc in place of the
given Authorization, proxies and certificates from the environment, bodies of redirects inflated without bound.
"""

import ssl
import threading
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPResponse, ProxyManager
from urllib3.util import Retry

from worker.vault.certificate import Certificate
from worker.wire.connections import PlainPool, TlsPool, Unreachable
from worker.wire.outgoing import Limits
from worker.wire.target import Target

_KEPT = 512  # idle connections of one origin: one for each thread that the engine can have


class PreparedCall(requests.PreparedRequest):
    """A request ready to be sent; its target was checked and is not parsed again."""

    def __init__(
        self, method: str, target: Target, wanted: str, headers: Mapping[str, str], body: bytes | None
    ) -> None:
        super().__init__()
        self.target = target
        self.wanted = wanted  # path and query
        self.method = method
        self.url = target.origin + wanted
        self.headers = headers  # type: ignore[assignment]  # any mapping will do, and a plain one is quick
        self.body = body


class _Unread(requests.Response):
    """An answer whose body was not touched."""

    def __init__(self, raw: BaseHTTPResponse) -> None:
        self.raw = raw


class Adapter(HTTPAdapter):
    """One line's connections, by origin; safe for any number of threads, as urllib3's pools are."""

    def __init__(self, way: "Way", limits: Limits) -> None:
        super().__init__(max_retries=Retry(total=False, redirect=False))
        self._way = way
        self._timeout = (limits.connect_s, limits.read_s)
        self._pools: dict[str, HTTPConnectionPool] = {}

    def transmit(self, parcel: PreparedCall) -> HTTPResponse:
        """Sends a parcel and returns the answer, its body unread; raises whatever requests and urllib3 raise."""
        raw: HTTPResponse = self.send(parcel, stream=True, timeout=self._timeout).raw
        return raw

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, *_: object, **__: object
    ) -> HTTPConnectionPool:
        """Returns the pool of the parcel's origin."""
        assert isinstance(request, PreparedCall)  # noqa: S101  # see transmit
        pool = self._pools.get(request.target.origin)
        if pool is None:
            pool = self._pools.setdefault(request.target.origin, self._way.pool(request.target, _KEPT))
        return pool

    def cert_verify(self, *_: object, **__: object) -> None:
        """Does nothing: the pool's TLS context verifies, and loads its CAs once instead of once a connection."""

    def request_url(self, request: requests.PreparedRequest, *_: object, **__: object) -> str:
        """Returns path and query; a proxy is only ever tunnelled through."""
        assert isinstance(request, PreparedCall)  # noqa: S101  # see transmit
        return request.wanted

    def build_response(self, _: requests.PreparedRequest, resp: BaseHTTPResponse) -> requests.Response:
        """Returns the answer as it came, without cookies."""
        return _Unread(resp)

    def close(self) -> None:
        """Closes every idle connection; a later call opens new ones."""
        super().close()
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            pool.close()


class Way:
    """How connections are made: straight or through a proxy, trusting whom, with which certificate of our own.

    Several lines may share one; a proxy is never shown the certificate.
    """

    def __init__(self, proxy: str = "", ca_bundle: Path | None = None, certificate: Certificate | None = None) -> None:
        self._proxy = proxy
        self._ca_bundle = ca_bundle
        self._certificate = certificate
        self._lock = threading.Lock()

    @cached_property
    def _made_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies; asks no SSLKEYLOGFILE and no SSL_CERT_FILE
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        cafile, capath = (self._ca_bundle, None) if self._ca_bundle else _system_trust()
        try:
            context.load_verify_locations(cafile, capath)
        except (OSError, ssl.SSLError):
            named = f"ca_bundle {cafile}" if self._ca_bundle else "the system's certificates"
            raise Unreachable(f"{named} cannot be read as certificates in PEM form") from None
        if self._certificate is not None:
            self._certificate.load_into(context)
        return context

    def _context(self) -> ssl.SSLContext:
        with self._lock:
            return self._made_context

    def pool(self, target: Target, kept: int) -> HTTPConnectionPool:
        """Returns a new pool for the target's origin that keeps so many idle connections; raises Unreachable."""
        if target.scheme == "http":
            return PlainPool(target.host, target.port, maxsize=kept)
        if not self._proxy or target.loopback:
            return TlsPool(target.host, target.port, maxsize=kept, ssl_context=self._context())
        headers = HTTPAdapter().proxy_headers(self._proxy)
        manager = ProxyManager(self._proxy, proxy_headers=headers, maxsize=kept, ssl_context=self._context())
        manager.pool_classes_by_scheme = {"http": PlainPool, "https": TlsPool}
        return manager.connection_from_host(target.host, target.port, target.scheme)


def _system_trust() -> tuple[Path | None, Path | None]:
    """Returns the system's certificates as a file or a folder, or those that requests brings where there are none."""
    places = ssl.get_default_verify_paths()
    file, folder = Path(places.openssl_cafile), Path(places.openssl_capath)
    if file.is_file():
        return file, None
    if any(folder.glob("*.0")):  # named by hash, as OpenSSL wants them
        return None, folder
    return Path(DEFAULT_CA_BUNDLE_PATH), None
