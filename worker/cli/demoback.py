"""Whether what came from one API got to the other one: each device once, or listed with the far end's reason."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import orjson

from worker.cli.demofar import FarEnd, moment
from worker.cli.demofiles import BACK, STAGING
from worker.cli.demoview import Progress
from worker.cli.output import number, out
from worker.cli.tables import Column, listing
from worker.store import rejects
from worker.store.database import Database

SPOILED = 3  # devices that are refused


@dataclass(frozen=True)
class Back:
    """What came of the devices that were sent on."""

    there: Counter[tuple[str, datetime]]  # id and time of change, at their source
    arrived: Counter[tuple[str, datetime]]
    reasons: dict[str, str]  # of the refused ones, by id
    again: int  # rows that the other API took though they had not changed

    @property
    def astray(self) -> list[str]:
        """The devices that are neither there once, as they are at their source, nor refused."""
        wanted = Counter({row: 1 for row in self.there if row[0] not in self.reasons})
        return sorted({key for key, _ in ((self.arrived - wanted) + (wanted - self.arrived))})

    def show(self) -> None:
        """Prints numbers, and who was refused."""
        row = {
            "devices": len(self.there),
            "arrived": self.arrived.total(),
            "refused": len(self.reasons),
            "astray": len(self.astray),
            "again": self.again,
        }
        columns = [
            Column("devices", show=number, right=True),
            Column("arrived", "in ServiceNow", number, right=True),
            Column("refused", "rejects", number, right=True),
            Column("astray", "missing or doubled", number, right=True),
            Column("again", "sent again unchanged", number, right=True),
        ]
        listing([row], columns, as_json=False, empty="none")
        out.print()
        told = [{"device": key, "reason": reason} for key, reason in sorted(self.reasons.items())]
        listing(told, [Column("device", "reject"), Column("reason")], as_json=False, empty="none was refused")

    def verdicts(self) -> Iterator[tuple[bool, str]]:
        """Yields what was to be, and whether it is."""
        yield not self.astray, "each device is in ServiceNow once, or listed as a reject with its reason"
        yield len(self.reasons) == SPOILED, f"the {SPOILED} rows that ServiceNow refused are rejects, and no others"
        yield self.again == 0, "no device was sent again that had not changed"


def back(database: Database, far_end: FarEnd, progress: Progress) -> Back:
    """Returns how things stand: at both far ends, in the ledger and among the rejects."""
    with database.read() as connection:
        kept = rejects.listing(connection, job=BACK, limit=1000)
    arrived = far_end.rows(STAGING)
    taken = sum(1 + int(row["sys_mod_count"]) for row in arrived)  # made, then changed: what is equal counts nowhere
    return Back(
        Counter((row["id"], moment(row["updated"])) for row in far_end.rows("devices")),
        Counter((row["u_id"], moment(row["u_updated"])) for row in arrived),
        {orjson.loads(one.record)["id"]: one.reason for one in kept},
        sum(run.counts.written for run in progress.ended if run.job == BACK) - taken,
    )
