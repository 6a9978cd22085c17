"""The clock of leases on SQLite: it never jumps with the wall clock, and all processes of a boot share it.

The first process to ask writes down one wall-clock time and the CLOCK_BOOTTIME of that instant; from then on
the lease clock is that time plus what has elapsed since. CLOCK_BOOTTIME counts a suspended machine's sleep.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from worker.model.moments import elapsed_s, utc_now
from worker.store.dialect import insert_new
from worker.store.tables import boots

_BOOT_ID_FILE = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Anchor:
    """One instant of this boot, by both clocks."""

    wall_at: datetime
    elapsed_s: float

    def now(self) -> datetime:
        """Returns the lease clock's time."""
        return self.wall_at + timedelta(seconds=elapsed_s() - self.elapsed_s)


def boot_id() -> str:
    """Returns the id the kernel gave this boot."""
    return _BOOT_ID_FILE.read_text().strip()


def find(connection: sa.Connection) -> Anchor | None:
    """Returns what the processes of this boot agreed on, if one of them has asked already."""
    wanted = sa.select(boots.c.wall_at, boots.c.elapsed_s).where(boots.c.boot_id == boot_id())
    row = connection.execute(wanted).one_or_none()
    return None if row is None else Anchor(row.wall_at, row.elapsed_s)


def agree(connection: sa.Connection) -> None:
    """Writes down this instant unless another process was first."""
    row = {"boot_id": boot_id(), "wall_at": utc_now(), "elapsed_s": elapsed_s()}
    insert_new(connection, boots, [row])
