"""Sealing: what the database stores of a token.

A sealed value is, byte after byte,

"v1" | length of kid (1) | kid (ASCII) | nonce (12) | AES-256-GCM ciphertext | tag (16)

under a key for this record alone, HKDF-SHA256(master[kid], info = "token" | record) (RFC 5869), with
associated data that names format, installation, table, record, generation and kid, each behind its length (4
bytes). So a value that is changed, moved to another row, table or database, or put back from an earlier
generation does not open.
"""

import hashlib
import hmac
import os
from typing import NewType

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from worker.model.errors import SealBroken
from worker.vault.keyring import FINGERPRINT, KEY_LENGTH, KeyRing, Ring
from worker.vault.secret import Secret

Sealed = NewType("Sealed", bytes)

_FORMAT = b"v1"
_NONCE = 12  # bytes; random ones are safe up to 2^32 values a key (NIST SP 800-38D), and each record has its own
_TAG = 16  # bytes
_CHECK = b"integration-worker"  # the constant behind a check value
_FINGERPRINT = 16  # bytes


class Cipher:
    """Seals and opens values for one installation, which is one database."""

    def __init__(self, ring: Ring, installation: str) -> None:
        self._ring = ring
        self._installation = installation

    def seal(self, plain: bytes, *, table: str, record: str, generation: int) -> Sealed:
        """Returns `plain` sealed with the active key for this place and generation."""
        ring, nonce = self._ring.current(), os.urandom(_NONCE)
        kid = ring.active
        bound = self._bound(table, record, generation, kid)
        head = _FORMAT + bytes([len(kid)]) + kid.encode()
        return Sealed(head + nonce + AESGCM(_key(ring, kid, b"token", record)).encrypt(nonce, plain, bound))

    def open(self, sealed: bytes, *, table: str, record: str, generation: int) -> bytes:
        """Returns what was sealed for exactly this place and generation; raises SealBroken."""
        kid = kid_of(sealed)
        body = sealed[len(_FORMAT) + 1 + len(kid) :]
        bound = self._bound(table, record, generation, kid)
        try:
            return AESGCM(self._key(kid, b"token", record)).decrypt(body[:_NONCE], body[_NONCE:], bound)
        except InvalidTag:
            raise SealBroken(
                f"What {table} holds for {record}, generation {generation}, does not open with key {kid}: it "
                "was changed, or moved there from elsewhere. Restore that row, or obtain a new token: "
                "worker account login."
            ) from None

    def check_value(self, kid: str) -> bytes:
        """Returns bytes that later tell whether key `kid` is still the same; raises SealBroken without it."""
        nonce = os.urandom(_NONCE)
        return nonce + AESGCM(self._key(kid, b"check")).encrypt(nonce, _CHECK, self._bound("keyring", "", 0, kid))

    def verify_check_value(self, kid: str, value: bytes) -> bool:
        """Tells whether our key `kid` is the one that made `value`, for this installation.

        Raises SealBroken where we do not have a key of that id, which is another fault than having a wrong
        one.
        """
        key = self._key(kid, b"check")
        if len(value) < _NONCE + _TAG:
            return False
        try:
            AESGCM(key).decrypt(value[:_NONCE], value[_NONCE:], self._bound("keyring", "", 0, kid))
        except InvalidTag:
            return False
        return True

    def fingerprint(self, *secrets: Secret | str) -> str:
        """Returns 32 hex digits that change when one of `secrets` changes and tell nothing about them.

        Keyed (HMAC-SHA256) with the ring's root, which neither a new key nor a retired one changes: else every
        token would look like another identity's, and every refused password like a new one.
        """
        parts = [part.reveal() if isinstance(part, Secret) else part for part in secrets]
        key = _derived(self._ring.current().root, FINGERPRINT.encode() + self._installation.encode())
        data = _joined(*(part.encode("utf-8", "surrogatepass") for part in parts))
        return hmac.new(key, data, hashlib.sha256).digest()[:_FINGERPRINT].hex()

    def _key(self, kid: str, purpose: bytes, subject: str = "") -> bytes:
        return _key(self._ring.current(kid), kid, purpose, subject)

    def _bound(self, table: str, record: str, generation: int, kid: str) -> bytes:
        fields = (self._installation, table, record, str(generation), kid)
        return _joined(_FORMAT, *(field.encode() for field in fields))


def kid_of(sealed: bytes) -> str:
    """Returns the id of the key that sealed a value; raises SealBroken for other bytes."""
    start = len(_FORMAT) + 1
    length = sealed[len(_FORMAT)] if len(sealed) > len(_FORMAT) else 0
    kid = sealed[start : start + length]
    whole = sealed.startswith(_FORMAT) and length and len(sealed) >= start + length + _NONCE + _TAG and kid.isascii()
    if not whole:
        raise SealBroken(
            f"A stored value of {len(sealed)} bytes is no sealed value of format {_FORMAT.decode()}: it was "
            "cut or changed. Restore that row, or obtain a new token: worker account login."
        )
    return kid.decode("ascii")


def _key(ring: KeyRing, kid: str, purpose: bytes, subject: str) -> bytes:
    master = ring.get(kid)
    if master is None:
        raise SealBroken(
            f"Key {kid} is not in the key ring, which has {', '.join(ring.kids)}. Add its line again, from your backup."
        )
    return _derived(master, purpose + subject.encode())


def _derived(master: bytes, info: bytes) -> bytes:
    return HKDF(SHA256(), KEY_LENGTH, salt=None, info=info).derive(master)


def _joined(*parts: bytes) -> bytes:
    """Returns the parts, each behind its length, so that no two lists of parts give the same bytes."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)
