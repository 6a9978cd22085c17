"""A key ring that follows its source, so that a daemon learns of a new key without a restart.

A file and a credential are looked at (one stat) before every use and read when they changed; a command and a desktop
key ring are asked again for a key id that is not known, twice a minute at most. The environment never changes.
"""

import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from worker.model.errors import KeyRingError, SecretError
from worker.model.secretref import SecretRef
from worker.vault.keyring import KeyRing, load
from worker.vault.sources import RUN_SECRETS

_REST_S = 30.0  # between two questions to a source that cannot be looked at

_Sign = tuple[tuple[int, ...] | None, ...]


class LiveRing:
    """The keys as their source has them now; while that is missing, wrong or another database's, as they were."""

    def __init__(
        self,
        read: Callable[[], KeyRing],
        sign: Callable[[], _Sign] = tuple,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._sign = sign
        self._elapsed = elapsed
        self._lock = threading.Lock()
        self._seen = sign()
        self._ring = read()
        self._asked_s = elapsed()

    def current(self, wanted: str = "") -> KeyRing:
        """Returns the key ring, read anew where its source changed or could have the key id `wanted` by now."""
        sign = self._sign()
        if sign == self._seen and not self._is_worth_asking(wanted):
            return self._ring
        with self._lock:
            if sign != self._seen or self._is_worth_asking(wanted):
                self._seen, self._asked_s = sign, self._elapsed()
                self._look_again()
            return self._ring

    def _is_worth_asking(self, wanted: str) -> bool:
        unknown = bool(wanted) and self._ring.get(wanted) is None
        return unknown and not self._seen and self._elapsed() - self._asked_s >= _REST_S

    def _look_again(self) -> None:
        try:
            found = self._read()
        except (SecretError, KeyRingError):
            return  # half written by hand, perhaps: the next change is read again
        if found.follows(self._ring):
            self._ring = found

    def __repr__(self) -> str:
        return f"LiveRing({', '.join(self._ring.kids)})"


def follow(ref: SecretRef, environment: Mapping[str, str] = os.environ, wanted: str = "vault.keys") -> LiveRing:
    """Returns the key ring that the configuration names, followed from now on; raises like `load`."""
    places = _places(ref, environment)
    return LiveRing(lambda: load(ref, environment, wanted), lambda: tuple(map(_stamp, places)))


def _places(ref: SecretRef, environment: Mapping[str, str]) -> list[Path]:
    if ref.file is not None:
        return [ref.file]
    if ref.credential is not None:
        given = environment.get("CREDENTIALS_DIRECTORY")
        return [folder / ref.credential for folder in (*([Path(given)] if given else []), RUN_SECRETS)]
    return []


def _stamp(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size
