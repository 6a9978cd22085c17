"""Changes to a key ring's text, and to the file that holds it: whole or not at all, one process at a time."""

import base64
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from worker.model.errors import KeyRingError
from worker.model.secretref import SecretRef
from worker.vault.keyring import FINGERPRINT, KeyRing, new_line, write
from worker.vault.sources import read


def with_new_key(text: str, now: datetime) -> tuple[str, str]:
    """Returns the ring's text with a new key on top, and its id; comments and all other lines stay."""
    kid, line = new_line(now)
    lines = text.splitlines()
    first = next(number for number, old in enumerate(lines) if _id(old))
    return _rooted([*lines[:first], line, *lines[first:]], text), kid


def without(text: str, kid: str) -> str:
    """Returns the ring's text without a key."""
    return _rooted([line for line in text.splitlines() if _id(line) != kid], text)


def rewrite(path: Path, change: Callable[[str], str]) -> None:
    """Exchanges the file for its changed text, mode 0600, on the disk when this returns.

    Whoever reads meanwhile finds the old text or the new one. Raises KeyRingError, SecretError; then the file is as
    it was.
    """
    with _alone(path):
        text = change(read(SecretRef(file=path), "the key ring"))
        KeyRing.parse(text, str(path))
        draft = path.with_name(f".{path.name}.new")
        draft.unlink(missing_ok=True)  # left by a process that died: we are alone
        write_new(draft, text, path)
        draft.replace(path)
        _settle(path.parent)


def write_new(path: Path, text: str, what: Path | None = None) -> None:
    """Writes a file that must not exist yet, mode 0600; raises KeyRingError, about `what` where that is given."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise KeyRingError(
            f"{what or path} cannot be written ({error.strerror}); nothing was changed. Run this as the owner of its "
            "folder, or write the new key ring elsewhere with --out and put it there yourself."
        ) from None
    write(descriptor, path, text)


def _rooted(lines: list[str], text: str) -> str:
    """Returns the lines with one that keeps the fingerprints as they are in `text`."""
    if not any(_id(line) == FINGERPRINT for line in lines):
        root = KeyRing.parse(text, "the key ring").root
        lines = [*lines, f"{FINGERPRINT}:{base64.b64encode(root).decode()}"]
    return "\n".join(lines) + "\n"


def _id(line: str) -> str:
    entry = line.strip()
    return "" if entry.startswith("#") else entry.partition(":")[0]


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keeps other changes out, by a lock on the folder: the file itself is exchanged."""
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise KeyRingError(f"{path.parent} cannot be opened ({error.strerror}). Check the folder.") from None
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _settle(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
