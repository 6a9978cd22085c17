"""Secret files: read only when nobody else could have read or changed them."""

import os
import stat
from pathlib import Path

from worker.model.errors import SecretError, SecretUnsafe

LARGEST = 64 * 1024  # bytes
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK  # a named pipe must not make us wait


def read_private(path: Path, wanted: str) -> str | None:
    """Returns the text of a file that only its owner can read, or None where there is none.

    Raises SecretUnsafe for a symbolic link, a foreign owner, a mode that lets others in, or a folder in which
    others could exchange the file.
    """
    if path.is_symlink():
        raise SecretUnsafe(f"{wanted}: {path} is a symbolic link; name the file that it points to, {path.resolve()}.")
    descriptor = _open(path, wanted, os.O_NOFOLLOW)
    if descriptor is None:
        return None
    try:
        _refuse_folder(path.parent, wanted)
        _refuse_private(os.fstat(descriptor), path, wanted)
        return _text(descriptor, path, wanted)
    finally:
        os.close(descriptor)


def read_mounted(path: Path, wanted: str) -> str | None:
    """Returns the text of a secret that systemd or a container runtime laid ready, or None without one.

    These are readable within the service only, which is a boundary of its own: runtimes mount them 0444,
    under a foreign owner and (Kubernetes) as symbolic links. So only a file that others may write is refused.
    """
    descriptor = _open(path, wanted, 0)
    if descriptor is None:
        return None
    try:
        found = os.fstat(descriptor)
        _refuse_irregular(found, path, wanted)
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise SecretUnsafe(
                f"{wanted}: {path} has mode {_mode(found)}, so that others can change it; expected one that "
                "only its owner can write. Mount it with mode 0444 or less."
            )
        return _text(descriptor, path, wanted)
    finally:
        os.close(descriptor)


def _open(path: Path, wanted: str, flags: int) -> int | None:
    try:
        return os.open(path, _FLAGS | flags)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise SecretError(
            f"{wanted}: {path} cannot be opened ({error.strerror}). Make it readable for the user who runs the worker."
        ) from None


def _refuse_private(found: os.stat_result, path: Path, wanted: str) -> None:
    _refuse_irregular(found, path, wanted)
    if found.st_uid not in (os.geteuid(), 0):
        raise SecretUnsafe(
            f"{wanted}: {path} belongs to user id {found.st_uid}; expected {os.geteuid()}, who runs the "
            f"worker, or root. Type: chown {os.geteuid()} {path}"
        )
    if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SecretUnsafe(
            f"{wanted}: {path} has mode {_mode(found)}, so that others can get at it; expected 0600. "
            f"Type: chmod 600 {path}"
        )


def _refuse_irregular(found: os.stat_result, path: Path, wanted: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise SecretUnsafe(f"{wanted}: {path} is not a regular file; put the secret into one of mode 0600.")


def _refuse_folder(folder: Path, wanted: str) -> None:
    found = folder.stat()
    if found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
        raise SecretUnsafe(
            f"{wanted}: the folder {folder} has mode {_mode(found)}, so that anybody can exchange the "
            f"file in it. Type: chmod o-w {folder}"
        )


def _text(descriptor: int, path: Path, wanted: str) -> str:
    data = b""
    while chunk := os.read(descriptor, LARGEST + 1 - len(data)):
        data += chunk
    return decoded(data, f"{wanted}: {path}")


def decoded(data: bytes, where: str) -> str:
    """Returns a secret's bytes as text, without a byte order mark; raises SecretError."""
    if len(data) > LARGEST:
        raise SecretError(f"{where} holds more than {LARGEST} bytes, which is no secret. Name the right place.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SecretError(f"{where} is not UTF-8 text. Save it again as UTF-8.") from None  # the error holds the bytes


def _mode(found: os.stat_result) -> str:
    return f"{stat.S_IMODE(found.st_mode):04o}"
