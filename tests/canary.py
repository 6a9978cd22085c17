"""Secrets that betray where they went: each is unique to its role, and all share one mark that is searched for.

A whole session's files are searched in seconds because a canary in any spelling holds the mark in the same spelling:
a handful of byte strings stands for thousands of secrets. What to search for is worked out here and not taken
from worker.vault, whose work this checks.
"""

import base64
import hashlib
import itertools
import mmap
import os
import secrets
import string
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote, quote_plus

import pytest

from worker.sandbox.options import Credentials

_MARK_LENGTH = 15  # a multiple of 3, so that base64 of it ends on a whole group
_OWN_LENGTH = 22
_AWKWARD = "+/=&%\"\\'"  # what the encodings of URLs, JSON and forms change; stands behind the mark
_ALPHABET = string.ascii_letters + string.digits
_FIRST_OF_USERS = 16384  # PostgreSQL numbers its own tables below; each database has 7 MB of those
_HOMES = {"secrets"}  # folders of secret files: there secrets belong
_RINGS = {".keys"}


@dataclass(frozen=True)
class Find:
    """A canary that got out: where, whose, and how it was spelt."""

    place: str
    role: str
    spelling: str

    def __str__(self) -> str:
        return f"{self.place}: the {self.role} ({self.spelling})"


def spellings(text: str) -> Iterator[tuple[str, bytes]]:
    """Yields (name, bytes) of every way in which a text of letters and digits stands inside a longer one, encoded.

    URL encoding, JSON, HTML and the shell leave letters and digits as they are, so the first covers them all.
    """
    raw = text.encode("ascii")
    yield "as it is", raw
    yield "as hexadecimal", raw.hex().encode()
    yield "as hexadecimal", raw.hex().upper().encode()
    yield "as UTF-16", text.encode("utf-16-le")
    yield "percent-encoded", "".join(f"%{byte:02X}" for byte in raw).encode()
    yield "percent-encoded", "".join(f"%{byte:02x}" for byte in raw).encode()
    for shift in range(3):  # where the text begins within a group of three bytes
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            begins = (3 - shift) % 3
            whole = (len(raw) - begins) // 3 * 3
            yield "as base64", encode(raw[begins : begins + whole])


@dataclass
class Canaries:
    """The canaries of one session; one role has one secret, in child processes too, which inherit the mark."""

    mark: str
    leaks: list[Find] = field(default_factory=list)  # found while the session went on
    _roles: dict[str, str] = field(default_factory=dict)

    def secret(self, role: str) -> str:
        """Returns a role's secret, with characters that encodings change."""
        return self.token(role) + _AWKWARD

    def token(self, role: str) -> str:
        """Returns a role's secret of letters and digits, as a bearer token must be."""
        core = self.mark + hashlib.sha256(f"{self.mark}/{role}".encode()).hexdigest()[:_OWN_LENGTH]
        self._roles[core] = role
        return core

    def search(self, data: bytes | mmap.mmap, place: str) -> list[Find]:
        """Returns the canaries in `data`; one whose text is cut short is found as unknown."""
        met = dict.fromkeys(name for name, mark in spellings(self.mark) if data.find(mark) >= 0)
        finds = [Find(place, role, name) for name in met for role in self._named(data, name)]
        return sorted(set(finds), key=str)

    def _named(self, data: bytes | mmap.mmap, name: str) -> list[str]:
        """Returns whose canaries stand in `data` in one spelling."""
        found = (
            role
            for core, role in self._roles.items()
            if any(data.find(form) >= 0 for spelling, form in spellings(core) if spelling == name)
        )
        return list(dict.fromkeys(found)) or ["unknown"]

    def search_text(self, text: str, place: str) -> list[Find]:
        """Returns the canaries in a text."""
        return self.search(text.encode("utf-8", "surrogatepass"), place)

    def search_file(self, file: Path) -> list[Find]:
        """Returns the canaries in a file; nothing where it cannot be read or is gone."""
        try:
            with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return self.search(data, str(file))
        except (OSError, ValueError):  # a socket, a file that went, an empty one
            return []

    def search_tables(self, server: Path, tables: str = "base/*/*") -> list[Find]:
        """Returns the canaries in what users put into a PostgreSQL server, whose data lies in this folder."""
        return [find for file in server.glob(tables) if _is_users(file) for find in self.search_file(file)]

    def search_log(self, server: Path) -> list[Find]:
        """Returns the canaries in what a PostgreSQL server logged."""
        return [find for file in server.rglob("*log") for find in self.search_file(file)]

    def search_folder(self, folder: Path) -> list[Find]:
        """Returns the canaries in every file beneath a folder but those where secrets belong."""
        files = (file for file in folder.rglob("*") if file.is_file() and not file.is_symlink())
        return [find for file in files if not is_home(file) for find in self.search_file(file)]


def _is_users(file: Path) -> bool:
    number = file.name.partition(".")[0]
    return number.isdigit() and int(number) >= _FIRST_OF_USERS


def is_home(file: Path) -> bool:
    """Tells whether a file is one that may hold secrets: in a folder `secrets`, or a key ring."""
    return file.parent.name in _HOMES or file.suffix in _RINGS


def new_mark() -> str:
    """Returns a mark that nothing else in the world has."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_MARK_LENGTH))


CANARIES = Canaries(os.environ.setdefault("TEST_CANARY_MARK", new_mark()))
canary = CANARIES.secret


def credentials() -> Credentials:
    """Returns what a sandbox of this session knows its clients and users by: every secret of it is a canary."""
    own = {one.name: CANARIES.token(f"sandbox's {one.name}") for one in fields(Credentials) if not one.repr}
    return Credentials(**own)


def lace_sandboxes(patch: pytest.MonkeyPatch) -> None:
    """Makes a canary of every secret that sandboxes of this process have by default, and of each token they issue."""
    known, numbers = credentials(), itertools.count(1)
    patch.setattr(Credentials.__init__, "__defaults__", tuple(getattr(known, one.name) for one in fields(known)))

    def token_urlsafe(_length: int) -> str:
        return CANARIES.token(f"sandbox's token {next(numbers)}")

    for room in ("tokens", "handoff"):
        patch.setattr(f"worker.sandbox.{room}.secrets", SimpleNamespace(token_urlsafe=token_urlsafe))


def written(secret: str) -> dict[str, str]:
    """Returns a secret as logs, URLs, headers and JSON would show it; what tests plant."""
    pair = f"client:{secret}".encode()
    return {
        "raw": secret,
        "URL-encoded": quote(secret, safe=""),
        "form-encoded": quote_plus(secret),
        "JSON": secret.replace("\\", "\\\\").replace('"', '\\"'),
        "base64": base64.b64encode(secret.encode()).decode(),
        "base64 of a pair": base64.b64encode(pair).decode(),
        "base64 after two bytes": base64.urlsafe_b64encode(b"ab" + secret.encode()).decode(),
        "base64 after one byte": base64.urlsafe_b64encode(b"a" + secret.encode()).decode(),
        "hexadecimal": secret.encode().hex(),
        "HEXADECIMAL": secret.encode().hex().upper(),
        "cut short": secret[:20],
    }
