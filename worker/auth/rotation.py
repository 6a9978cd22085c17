"""The key ring at work on stored tokens: which key seals what, sealing anew, and whether a key can go.

Runs in a process of its own while daemons work. A token is sealed anew only where its row still is what was read, so
that no refresh is undone; the daemons see a key id that they do not know and read their key ring again.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from worker.auth import rescue
from worker.auth.pace import LEASE_S
from worker.model.errors import KeyInUse, SealBroken
from worker.model.records import TokenRow
from worker.store import keyring, tokens
from worker.store.database import Database
from worker.store.keyring import KeyRow
from worker.vault.cipher import Cipher, kid_of
from worker.vault.keyring import KeyRing, Ring

_TABLE = "tokens"
_MOST_PASSES = 50  # each meets only what changed during the one before
_POLL_S = 0.1


@dataclass(frozen=True)
class KeyUse:
    """One key: `state` is active, old, retired, missing (not in the ring, not retired) or wrong (not that key)."""

    key_id: str
    state: str
    in_ring: bool
    first_seen: datetime | None  # None: this database was never opened with it
    last_seen: datetime | None
    sealed: int  # stored tokens
    unopened: tuple[str, ...]  # accounts of those that do not open


@dataclass(frozen=True)
class Resealed:
    """What one sealing anew did: how many tokens are under the active key now that were not, and which do not open."""

    key_id: str
    moved: int
    unopened: dict[str, str]  # account to why


@dataclass(frozen=True)
class _Looked:
    """A stored token, the key that it names, and why it does not open."""

    row: TokenRow
    key_id: str
    plain: bytes | None
    fault: str = ""


class Rotation:
    """What can be done about keys at one database."""

    def __init__(
        self,
        database: Database,
        cipher: Cipher,
        ring: Ring,
        rescue_dir: Path | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._database = database
        self._cipher = cipher
        self._ring = ring
        self._rescue_dir = rescue_dir or (Path(database.location).parent if database.dialect == "sqlite" else None)
        self._wait = wait

    def uses(self) -> list[KeyUse]:
        """Returns every key of the ring, of the database's memory and of its tokens; the ring's first, then oldest."""
        ring = self._ring.current()
        looked = list(self._looked())
        with self._database.read() as connection:
            seen = {row.key_id: row for row in keyring.rows(connection)}
        sealed = Counter(one.key_id for one in looked)
        ids = dict.fromkeys([*ring.kids, *seen, *sorted(sealed)])
        return [
            KeyUse(
                key_id=kid,
                state=self._state(ring, kid, seen.get(kid)),
                in_ring=kid in ring.kids,
                first_seen=seen[kid].first_seen if kid in seen else None,
                last_seen=seen[kid].last_seen if kid in seen else None,
                sealed=sealed[kid],
                unopened=tuple(one.row.account for one in looked if one.key_id == kid and one.fault),
            )
            for kid in ids
        ]

    def _state(self, ring: KeyRing, kid: str, row: KeyRow | None) -> str:
        if kid not in ring.kids:
            return "retired" if row and row.state == "retired" else "missing"
        if row and not self._cipher.verify_check_value(kid, row.check_value):
            return "wrong"
        return "active" if kid == ring.active else "old"

    def waiting(self) -> list[str]:
        """Returns the accounts whose token opens but is not sealed with the active key: a rotation was not finished."""
        active = self._ring.current().active
        return [one.row.account for one in self._looked() if one.plain is not None and one.key_id != active]

    def reseal(self) -> Resealed:
        """Seals every token that opens with the active key; ends only when none is left under another.

        May be killed at any moment and run again. Raises StoreUnreachable, KeyInUse where it never came to an end.
        """
        moved = 0
        for _ in range(_MOST_PASSES):
            active = self._ring.current().active
            looked = [one for one in self._looked() if one.key_id != active or one.fault]
            unopened = {one.row.account: one.fault for one in looked if one.fault}
            if len(unopened) == len(looked):
                return Resealed(active, moved, unopened)
            moved += sum(self._moved(one) for one in looked if one.plain is not None)
        raise KeyInUse(
            f"some process goes on sealing with another key than {active}: it does not see this key ring. "
            "Give every node the same key ring, then run `worker keys rotate` again; nothing is lost meanwhile."
        )

    def _moved(self, one: _Looked) -> bool:
        row, plain = one.row, one.plain or b""
        sealed = self._cipher.seal(plain, table=_TABLE, record=row.account, generation=row.generation)
        with self._database.write() as connection:
            return tokens.reseal(connection, row, sealed, kid_of(sealed))

    def release(self, kid: str) -> None:
        """Returns once nothing needs a key any more; raises KeyInUse where something does, or it is the active one.

        What was under way when it was called may still seal with it, and is waited for.
        """
        if kid == self._ring.current().active:
            raise KeyInUse(f"{kid} is the active key: tokens are sealed with it. Run `worker keys rotate` first.")
        self._outwait_leases()
        users = [f"account {one.row.account}" for one in self._looked() if one.key_id == kid]
        users += [f"the rescue record of account {account}" for account in self._rescued(kid)]
        if users:
            raise KeyInUse(
                f"the key {kid} is still needed by {', '.join(users)}; nothing was changed. Run `worker keys rotate`; "
                "for a token that does not open, see `worker keys status`."
            )

    def _outwait_leases(self) -> None:
        with self._database.read() as connection:
            begun = tokens.under_way(connection, self._database.lease_now(connection))
        for _ in range(int(LEASE_S / _POLL_S) + 1):
            with self._database.read() as connection:
                still = tokens.under_way(connection, self._database.lease_now(connection))
            if not begun.items() & still.items():
                return
            self._wait(_POLL_S)

    def _rescued(self, kid: str) -> list[str]:
        found = (
            [rescue.read(path) for path in sorted(self._rescue_dir.glob("*.token-rescue"))] if self._rescue_dir else []
        )
        return [new.account for new in found if new is not None and new.key_id == kid]

    def forget(self, kid: str, now: datetime) -> None:
        """Notes that a key is retired; one that this database has never seen is none of its business."""
        with self._database.write() as connection:
            for row in keyring.rows(connection):
                if row.key_id == kid:
                    keyring.remember(connection, kid, "retired", row.check_value, now)

    def _looked(self) -> Iterator[_Looked]:
        with self._database.read() as connection:
            rows = [row for row in tokens.listing(connection) if row.sealed is not None]
        for row in rows:
            yield self._look(row)

    def _look(self, row: TokenRow) -> _Looked:
        looked = _Looked(row, row.key_id or "", None)
        try:
            looked = replace(looked, key_id=kid_of(row.sealed or b""))
            plain = self._cipher.open(row.sealed or b"", table=_TABLE, record=row.account, generation=row.generation)
        except SealBroken as error:
            return replace(looked, fault=str(error))
        return replace(looked, plain=plain)
