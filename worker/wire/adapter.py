"""Sessions of requests, made so that nothing happens which was not asked for."""

import ssl
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3 import HTTPConnectionPool, ProxyManager
from urllib3.util import Retry

from worker.wire.connections import PlainPool, TlsPool, Unreachable
from worker.wire.target import Target

_IDLE = 16  # sessions kept for the next call; beyond it they are closed


class Parcel(requests.PreparedRequest):
    """A request ready to be sent; its target was checked and is not parsed again."""

    def __init__(
        self, method: str, target: Target, wanted: str, headers: Mapping[str, str], body: bytes | None
    ) -> None:
        super().__init__()
        self.target = target
        self.wanted = wanted  # path and query
        self.method = method
        self.url = target.origin + wanted
        self.headers = CaseInsensitiveDict(headers)
        self.body = body


class _Adapter(HTTPAdapter):
    """One session's connections, by origin; one connection each, since a session serves one call at a time."""

    def __init__(self, way: "Way") -> None:
        super().__init__(max_retries=Retry(total=False, redirect=False))
        self._way = way
        self._pools: dict[str, HTTPConnectionPool] = {}

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, *_: object, **__: object
    ) -> HTTPConnectionPool:
        """Returns the pool of the parcel's origin."""
        assert isinstance(request, Parcel)  # noqa: S101  # nothing else is ever sent through this adapter
        pool = self._pools.get(request.target.origin)
        if pool is None:
            pool = self._pools[request.target.origin] = self._way.pool(request.target)
        return pool

    def cert_verify(self, *_: object, **__: object) -> None:
        """Does nothing: the pool's TLS context verifies, and loads its CAs once instead of once a connection."""

    def request_url(self, request: requests.PreparedRequest, *_: object, **__: object) -> str:
        """Returns path and query; a proxy is only ever tunnelled through."""
        assert isinstance(request, Parcel)  # noqa: S101  # see above
        return request.wanted

    def close(self) -> None:
        """Closes every connection."""
        super().close()
        for pool in self._pools.values():
            pool.close()


class Session(requests.Session):
    """A session that asks no environment, follows no redirect and keeps no cookie."""

    def __init__(self, way: "Way") -> None:
        super().__init__()
        self.trust_env = False
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = _Adapter(way)
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002  # its signature is requests'
        """Sees no redirect: to prepare one, requests would inflate its whole body, without bound."""
        return


class Way:
    """How connections are made: straight or through a proxy, trusting whom."""

    def __init__(self, proxy: str, ca_bundle: Path | None) -> None:
        self._proxy = proxy
        self._ca_bundle = ca_bundle
        self._lock = threading.Lock()

    @cached_property
    def _made_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies; asks no SSLKEYLOGFILE and no SSL_CERT_FILE
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        cafile, capath = (self._ca_bundle, None) if self._ca_bundle else _system_trust()
        try:
            context.load_verify_locations(cafile, capath)
        except (OSError, ssl.SSLError):
            raise Unreachable(f"ca_bundle {cafile} cannot be read as certificates in PEM form") from None
        return context

    def _context(self) -> ssl.SSLContext:
        with self._lock:
            return self._made_context

    def pool(self, target: Target) -> HTTPConnectionPool:
        """Returns a new pool for the target's origin; raises Unreachable."""
        if target.scheme == "http":
            return PlainPool(target.host, target.port)
        if not self._proxy or target.loopback:
            return TlsPool(target.host, target.port, ssl_context=self._context())
        headers = HTTPAdapter().proxy_headers(self._proxy)
        manager = ProxyManager(self._proxy, proxy_headers=headers, ssl_context=self._context())
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


class Sessions:
    """Lends each call a session of its own, the one used last first: its connections are the warmest."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self._idle: deque[Session] = deque()
        self._closed = False

    @contextmanager
    def lend(self) -> Iterator[Session]:
        """Lends a session until the block is left."""
        try:
            session = self._idle.pop()
        except IndexError:
            session = Session(self._way)
        try:
            yield session
        finally:
            if self._closed or len(self._idle) >= _IDLE:
                session.close()
            else:
                self._idle.append(session)

    def close(self) -> None:
        """Closes what is idle now, and what is lent once it comes back."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()
