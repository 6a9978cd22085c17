"""The tables `keyring` and `installation`: the keys this database was sealed with, and its own id."""

import uuid
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from worker.store.dialect import upsert
from worker.store.tables import installation, keyring


@dataclass(frozen=True)
class KeyRow:
    """One key that has sealed something here; `check_value` proves that a key at hand is that key."""

    key_id: str
    state: str
    check_value: bytes
    first_seen: datetime
    last_seen: datetime


def rows(connection: sa.Connection) -> list[KeyRow]:
    """Returns every key this database has seen, oldest first."""
    wanted = sa.select(keyring).order_by(keyring.c.first_seen, keyring.c.key_id)
    return [KeyRow(**row) for row in connection.execute(wanted).mappings()]


def remember(connection: sa.Connection, key_id: str, state: str, check_value: bytes, now: datetime) -> None:
    """Notes that a key is in the ring, in this state; a known one keeps check value and first time."""
    row = {
        "key_id": key_id,
        "state": state,
        "check_value": check_value,
        "first_seen": now,
        "last_seen": now,
    }
    upsert(connection, keyring, [row], keep=("check_value", "first_seen"))


def ensure_installation(connection: sa.Connection, now: datetime) -> str:
    """Returns the id of this database, made at the first call; sealed values open in no other database."""
    wanted = sa.select(installation.c.id)
    found = connection.execute(wanted).scalar_one_or_none()
    if found is None:
        if connection.dialect.name == "postgresql":  # SQLite has one writer anyway
            connection.execute(sa.text("LOCK TABLE installation IN EXCLUSIVE MODE"))
        found = connection.execute(wanted).scalar_one_or_none()
    if found is None:
        found = str(uuid.uuid4())
        connection.execute(sa.insert(installation), {"id": found, "created_at": now})
    return found


def installation_id(connection: sa.Connection) -> str | None:
    """Returns the id of this database; None where it was never used with a key ring."""
    found: str | None = connection.execute(sa.select(installation.c.id)).scalar_one_or_none()
    return found
