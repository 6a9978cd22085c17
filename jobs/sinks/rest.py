"""Rows to a REST API, each state of a row once.

What was sent is remembered in `deliveries` by key and fingerprint: a row whose last state is there is not sent again. A
row is marked before its request leaves and judged after it: a mark without a verdict, which is what a dead process
leaves behind, means that nobody knows, and goes by the option `in_doubt`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import zip_longest

import orjson

from jobs.contract import BadRecord, Context, Delivery, Json, Record
from jobs.flow import Batch
from jobs.ids import begun_by
from jobs.progress import Progress
from jobs.sinks.courier import Courier
from jobs.sinks.doubt import Doubts, held_prefix
from jobs.sinks.manifest import Manifest
from jobs.sinks.parcels import Item, Packer, Parcel, is_leaving, key_of
from jobs.sinks.polling import Pace
from jobs.sinks.restoptions import RestDestinationOptions
from jobs.sinks.sending import Sender
from jobs.sinks.verdicts import Verdict
from jobs.sinks.writeback import WriteBack

_ARRIVED = "arrived"  # the parameter by which a person says that rows in doubt are there
_OPEN = ("sending", "in_doubt")


class RestDestination:
    """A REST API that a sync sends rows to; `parcels` are the would-be requests of a preview."""

    def __init__(
        self,
        options: RestDestinationOptions,
        context: Context,
        progress: Progress,
        write_back: WriteBack | None = None,
        fields: Mapping[str, str] | None = None,
        pace: Pace | None = None,
    ) -> None:
        """Takes as `fields` which field of a record each column of the key is, for records of what is gone."""
        self.parcels: list[Parcel] = []
        self._options, self._context, self._progress = options, context, progress
        self._write_back, self._fields = write_back, fields or {}
        self._packer = Packer(options, context.job)
        self._doubts = Doubts(options, context, self._packer)
        sender = Sender(options, context, pace or Pace())
        self._courier = Courier(context, self._packer, sender.send, options.parallel, self.parcels)

    @property
    def at_once(self) -> int:
        """One page: what is sent is booked page by page."""
        return 1

    def begin(self) -> None:
        """Books the rows of which a person says that they arrived; raises TableUnfit where ids cannot be written."""
        if self._write_back:
            self._write_back.check(self._context)
        given = self._context.params.get(_ARRIVED)
        if given:
            self._arrived(given if isinstance(given, list) else [given])

    def store(self, batches: Sequence[Batch]) -> None:
        """Sends what changed; counts, rejects and cursor of a batch are booked once its last request is.

        Raises the error that ends the run.
        """
        for batch in batches:
            manifest = Manifest(self._context, self._write_back)
            items = [*self._rows(batch, manifest), *self._gone(batch, manifest)]
            self._courier.deliver(self._packer.groups(items), manifest)
            with manifest.unit() as unit:
                self._progress.book(unit, batch, manifest.refused)

    def finish(self) -> None:
        """Does nothing: each row was judged when it was sent."""

    def _rows(self, batch: Batch, manifest: Manifest) -> list[Item]:
        """Returns what is to be sent; of several states of a row the last one."""
        keyed = dict[str, tuple[Record, Record]]()
        for row, record in zip(batch.rows, batch.records, strict=True):
            try:
                key = key_of(row, self._options.key)
            except BadRecord as error:
                manifest.refuse((record, str(error)))
                continue
            if keyed.pop(key, None) is not None:
                manifest.leave()
            keyed[key] = row, record
        known = self._context.deliveries(list(keyed))
        items = list[Item]()
        for key, (row, record) in keyed.items():
            try:
                item = self._packer.item(row, record, key, known.get(key))
            except BadRecord as error:
                manifest.refuse((record, str(error)))
                continue
            items += self._settled(item, manifest, asked_for=bool(batch.page.settles))
        return items

    def _gone(self, batch: Batch, manifest: Manifest) -> list[Item]:
        """Returns what is to be taken away: rows that are there, or may be, and were not sent since they went."""
        if self._options.delete is None:
            manifest.leave(len(batch.page.gone))
            return []
        keyed = dict[str, tuple[Record, datetime | None]]()
        for record, at in zip_longest(batch.page.gone, batch.page.gone_at):
            row = {column: record[field] for column, field in self._fields.items() if field in record} | record
            try:
                keyed[key_of(row, self._options.key)] = row, at
            except BadRecord as error:
                manifest.refuse((record, str(error)))
        known = self._context.deliveries(list(keyed))
        items = list[Item]()
        for key, (row, at) in keyed.items():
            before = known.get(key)
            if before is None or not _may_be_there(before) or _was_sent_since(before, at):
                manifest.leave()
            else:
                items += self._settled(self._packer.gone(row, before), manifest, asked_for=False)
        return items

    def _settled(self, item: Item, manifest: Manifest, *, asked_for: bool) -> list[Item]:
        """Returns the item where it is to be sent, and nothing where its verdict is known or it is refused."""
        if item.is_known:
            manifest.leave()
            return []
        try:
            settled = self._doubts.settle(item, asked_for=asked_for)
        except BadRecord as error:
            manifest.refuse((item.record, str(error)))
            return []
        if isinstance(settled, Item):
            return [settled]
        self._judge(item, settled, manifest)
        return []

    def _judge(self, item: Item, verdict: Verdict, manifest: Manifest) -> None:
        if verdict.state == "in_doubt":
            manifest.hold(item, verdict.reason)
        else:
            manifest.judge(item, verdict)

    def _arrived(self, given: Sequence[Json]) -> None:
        """Takes keys as JSON, as they are stored, or plain."""
        keys = {str(key) for key in given} | {orjson.dumps(key).decode() for key in given}
        open_ = [one for one in self._context.deliveries(sorted(keys)).values() if one.state in _OPEN]
        prefixes = tuple(held_prefix(delivery.key) for delivery in open_)
        told = [kept.hash for kept in self._context.kept() if prefixes and kept.reason.startswith(prefixes)]
        with self._context.unit() as unit:
            unit.deliver([replace(one, state="delivered", remote_id=one.remote_id or "") for one in open_])
            unit.forget(told)
        self._context.log.info("rows in doubt are taken as arrived", keys=[one.key for one in open_])


def _was_sent_since(before: Delivery, gone_at: datetime | None) -> bool:
    """Tells whether the row was made again and sent; a deletion that is under way, or in doubt, is to be told again."""
    return before.run_id >= begun_by(gone_at) and not is_leaving(before)


def _may_be_there(before: Delivery) -> bool:
    return before.state in (*_OPEN, "delivered") or before.remote_id is not None
