"""The rescue record: a token that was won but could not be stored, sealed, in a file of mode 0600.

A server that rotates refresh tokens has ended the old one by then; if the process dies before the database is back,
this file is the only place that holds its successor.
"""

import base64
import os
from dataclasses import asdict, fields
from datetime import datetime
from pathlib import Path

import orjson

from worker.store.tokens import NewToken


def path_in(folder: Path, account: str) -> Path:
    """Returns where an account's rescue record lies."""
    return folder / f"{account}.token-rescue"


def write(path: Path, new: NewToken) -> None:
    """Writes the record whole or not at all, and durably; raises OSError."""
    document = {**asdict(new), "sealed": base64.b64encode(new.sealed).decode("ascii")}
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(orjson.dumps(document))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def read(path: Path) -> NewToken | None:
    """Returns the record, None where there is none or where it cannot be read: it is then of no use to anybody."""
    try:
        document = orjson.loads(path.read_bytes())
        values = {field.name: document[field.name] for field in fields(NewToken)}
        values["sealed"] = base64.b64decode(values["sealed"])
        for name in ("issued_at", "expires_at", "refresh_at", "refresh_expires_at"):
            values[name] = datetime.fromisoformat(values[name]) if values[name] else None
        return NewToken(**values)
    except (OSError, ValueError, KeyError, TypeError):
        return None
