"""One transaction of an attempt, as its job sees it; what it gathers is stored when the transaction commits."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from jobs.contract import Counts, Delivery, Json


@dataclass
class RunUnit:
    """Implements jobs.contract.Unit."""

    connection: sa.Connection
    delta: Counts = field(default_factory=Counts)
    rejects: list[tuple[Json, str, str | None]] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)
    moves: dict[str, Json] = field(default_factory=dict)
    forgotten: list[str] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)

    def reject(self, record: Json, reason: str, key: str | None = None) -> None:
        """Keeps a record that could not be stored, with the reason."""
        self.rejects.append((record, reason, key))
        self.delta.rejected += 1
        if key is not None:
            self.settled.append(key)  # what it takes the place of

    def settle(self, keys: Sequence[str]) -> None:
        """Removes kept rejects by their keys when the unit commits, before it keeps new ones."""
        self.settled.extend(keys)

    def advance(self, value: Json, name: str = "") -> None:
        """Moves the cursor when the unit commits."""
        self.moves[name] = value

    def count(self, *, read: int = 0, written: int = 0, unchanged: int = 0, deleted: int = 0, pages: int = 0) -> None:
        """Adds to the attempt's counts."""
        self.delta.read += read
        self.delta.written += written
        self.delta.unchanged += unchanged
        self.delta.deleted += deleted
        self.delta.pages += pages

    def forget(self, hashes: Sequence[str]) -> None:
        """Removes kept rejects when the unit commits, before it keeps new ones."""
        self.forgotten.extend(hashes)

    def deliver(self, deliveries: Sequence[Delivery]) -> None:
        """Remembers what became of rows that were sent to an API."""
        self.deliveries.extend(deliveries)
