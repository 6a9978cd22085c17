"""What is to be remembered of deliveries until the next transaction takes it."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from jobs.contract import Context, Delivery, Unit
from jobs.flow import Refused
from jobs.sinks.parcels import Item
from jobs.sinks.verdicts import Verdict
from jobs.sinks.writeback import WriteBack

_COUNTED = {"delivered": "written", "absent": "deleted"}


class Manifest:
    """Gathers marks, outcomes, counts and ids of one batch; what a failed transaction did not take is still there."""

    def __init__(self, context: Context, write_back: WriteBack | None = None) -> None:
        self.refused: list[Refused] = []
        self._context, self._write_back = context, write_back
        self._deliveries: dict[str, Delivery] = {}
        self._counts: Counter[str] = Counter()
        self._ids: list[tuple[Item, str]] = []

    def mark(self, item: Item) -> None:
        """Notes that a request for the item leaves now."""
        self._deliveries[item.key] = Delivery(item.key, item.fingerprint, "sending", item.remote_id)

    def restore(self, item: Item) -> None:
        """Notes that no request for the item left: all is as it was before."""
        self._deliveries[item.key] = item.before or Delivery(item.key, item.fingerprint, "absent")

    def judge(self, item: Item, verdict: Verdict) -> None:
        """Notes what became of an item."""
        remote_id = None if verdict.state == "absent" else verdict.remote_id or item.remote_id
        if verdict.state == "delivered" and remote_id is None:
            remote_id = ""
        self._deliveries[item.key] = Delivery(item.key, item.fingerprint, verdict.state, remote_id)
        if verdict.reason:
            self.refused.append((item.record, verdict.reason))
        else:
            self._counts[_COUNTED[verdict.state]] += 1
        if remote_id and verdict.state == "delivered" and not (item.was_delivered and remote_id == item.remote_id):
            self._ids.append((item, remote_id))

    def hold(self, item: Item, reason: str) -> None:
        """Notes that nothing was sent for an item in doubt: what is remembered of it is still what was sent last."""
        before = item.before or Delivery(item.key, item.fingerprint, "in_doubt")
        self._deliveries[item.key] = replace(before, state="in_doubt")
        self.refused.append((item.record, reason))

    def refuse(self, refused: Refused) -> None:
        """Notes a record that cannot be sent; nothing is remembered of its row."""
        self.refused.append(refused)

    def leave(self, count: int = 1) -> None:
        """Notes rows of which nothing had to be sent."""
        self._counts["unchanged"] += count

    def commit(self) -> None:
        """Stores what was gathered."""
        with self.unit():
            pass

    @contextmanager
    def unit(self) -> Iterator[Unit]:
        """Opens the transaction that takes what was gathered; it may take more."""
        with self._context.unit(self._write_back.database if self._write_back else None) as unit:
            unit.deliver(list(self._deliveries.values()))
            unit.count(**self._counts)
            if self._write_back:
                self._write_back.write(unit.connection, self._ids)
            yield unit
        self._deliveries, self._counts, self._ids = {}, Counter(), []
