"""The key ring: the keys with which tokens are sealed, in one file.

# first is active; older ones stay until nothing is sealed with them
k20261123-ab12:base64 of 32 bytes
k20260101-9f00:base64 of 32 bytes
fingerprint:base64 of 32 bytes

The last line is written by the first rotation: fingerprints are keyed with it from then on, so that no key that
goes disturbs them. Before, they are keyed with what the oldest key gives.
"""

import base64
import binascii
import os
import re
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn, Protocol

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from worker.model.errors import KeyRingError, SecretMissing
from worker.model.secretref import SecretRef
from worker.vault.secret import Secret
from worker.vault.sources import read

KEY_LENGTH = 32  # bytes, as AES-256 and HKDF-SHA256 take them
FINGERPRINT = "fingerprint"  # in the place of a key id
_KID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_REMEDY = "Restore the line from your backup, or write a new key ring with `worker keys init`."


class KeyRing:
    """Keys by their id, newest first; the first one is active: it seals, all of them open."""

    __slots__ = ("_keys", "_root")

    def __init__(self, keys: Mapping[str, Secret], root: Secret | None = None) -> None:
        self._keys = dict(keys)
        self._root = root

    @classmethod
    def parse(cls, text: str, where: str) -> "KeyRing":
        """Returns the key ring written in `text`; raises KeyRingError that names `where` and the line."""
        keys: dict[str, Secret] = {}
        for number, line in enumerate(text.splitlines(), 1):
            entry = line.strip()
            if entry and not entry.startswith("#"):
                kid, key = _entry(entry, f"{where}, line {number}")
                if kid in keys:
                    raise KeyRingError(f"{where}, line {number}: the key id {kid} is there twice; remove one line.")
                keys[kid] = key
        root = keys.pop(FINGERPRINT, None)
        if not keys:
            raise KeyRingError(f"{where} holds no key. {_REMEDY}")
        return cls(keys, root)

    @property
    def active(self) -> str:
        """The id of the key that seals."""
        return next(iter(self._keys))

    @property
    def kids(self) -> tuple[str, ...]:
        """All key ids, newest first."""
        return tuple(self._keys)

    @property
    def root(self) -> bytes:
        """The 32 bytes that fingerprints are keyed with; they outlive every key once a ring was rotated."""
        if self._root is not None:
            return base64.b64decode(self._root.reveal())
        oldest = base64.b64decode(self._keys[self.kids[-1]].reveal())
        return HKDF(SHA256(), KEY_LENGTH, salt=None, info=FINGERPRINT.encode()).derive(oldest)

    def get(self, kid: str) -> bytes | None:
        """Returns the 32 bytes of a key, or None where the ring does not have it."""
        key = self._keys.get(kid)
        return None if key is None else base64.b64decode(key.reveal())

    def current(self, _wanted: str = "") -> "KeyRing":
        """Returns this ring: it follows no source."""
        return self

    def follows(self, before: "KeyRing") -> bool:
        """Tells whether this can be `before`, changed: the same fingerprints, and no key exchanged under its id."""
        shared = [kid for kid in self.kids if before.get(kid) is not None]
        return self.root == before.root and all(self.get(kid) == before.get(kid) for kid in shared)

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self._keys)})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a KeyRing is not pickled: its keys would leave the process in clear")


class Ring(Protocol):
    """What a cipher takes its keys from: a key ring, or one that follows its source."""

    def current(self, _wanted: str = "") -> KeyRing:
        """Returns the keys as they stand; `_wanted` is a key id worth another look at the source."""
        ...


def load(ref: SecretRef, environment: Mapping[str, str] = os.environ, wanted: str = "vault.keys") -> KeyRing:
    """Returns the key ring that the configuration names.

    Raises KeyRingError where there is none or a line is wrong, SecretUnsafe where others can read it.
    """
    try:
        text = read(ref, wanted, environment)
    except SecretMissing as error:
        raise KeyRingError(f"{error}. Write a new key ring with `worker keys init`, or restore yours.") from None
    return KeyRing.parse(text, f"{wanted}: {ref.describe()}")


def create(path: Path, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> str:
    """Writes a new key ring of one key, readable by its owner only, and returns the key's id.

    It is on the disk when this returns. Raises KeyRingError; a file that exists is never touched.
    """
    kid, line = new_line(clock())
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise KeyRingError(
            f"{path} exists and is left as it is, since no token sealed with its keys could be opened again. "
            "Name another file, or move this one away."
        ) from None
    except OSError as error:
        raise KeyRingError(f"{path} cannot be written ({error.strerror}). Check its folder.") from None
    write(descriptor, path, f"# first is active; older ones stay until nothing is sealed with them\n{line}\n")
    return kid


def new_line(now: datetime) -> tuple[str, str]:
    """Returns the id of a new random key, and the line that holds it."""
    kid = f"k{now:%Y%m%d}-{secrets.token_hex(2)}"
    return kid, f"{kid}:{base64.b64encode(secrets.token_bytes(KEY_LENGTH)).decode()}"


def write(descriptor: int, path: Path, text: str) -> None:
    """Writes a new file, durably, and closes it; raises KeyRingError, and then no file is left."""
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)  # the file's name must outlive a power cut as well
        finally:
            os.close(folder)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise KeyRingError(f"{path} could not be written ({error.strerror}). Make room and try again.") from None


def _entry(entry: str, where: str) -> tuple[str, Secret]:
    kid, colon, text = entry.partition(":")
    if not colon or not _KID.fullmatch(kid):
        raise KeyRingError(f"{where}: expected `id:base64 of {KEY_LENGTH} bytes`, found no key id. {_REMEDY}")
    try:
        length = len(base64.b64decode(text.strip(), validate=True))
    except (binascii.Error, ValueError):
        raise KeyRingError(f"{where}: the key {kid} is not base64. {_REMEDY}") from None
    if length != KEY_LENGTH:
        raise KeyRingError(f"{where}: the key {kid} has {length} bytes; expected {KEY_LENGTH}. {_REMEDY}")
    return kid, Secret(text.strip())
