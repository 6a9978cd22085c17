"""How far a run has got: what was read and rejected, and whether that is too much."""

from collections.abc import Sequence

from jobs.contract import Context, Counts, TooManyRejects, Unit
from jobs.flow import Batch, Page, Refused
from jobs.rowkeys import KeyOf

_TELLING = 1000  # records read before a share of rejects is judged in mid-run


class Progress:
    """Books what one attempt stores; the cursor stays where more was rejected than the job bears."""

    def __init__(self, context: Context, key_of: KeyOf = lambda _record: None) -> None:
        self._context, self._key_of = context, key_of
        self._rejected: set[str] | None = None  # keys of kept rejects, once they are asked for
        self._total = Counts()

    def begin(self) -> None:
        """Asks what was rejected before, which takes no time while the first page is on its way."""
        self._rejected = self._context.rejected()

    def expect(self, page: Page) -> None:
        """Passes on how many records the source says there are."""
        if page.total is not None and page.total != self._total.expected:
            self._total.expected = page.total
            self._context.expect(page.total)

    def book(self, unit: Unit, batch: Batch, refused: Sequence[Refused] = ()) -> bool:
        """Books a batch in the unit that stores it; `refused` are records that the destination did not take.

        Returns whether the cursor moved.
        """
        page, rejects = batch.page, [*batch.rejects, *refused]
        unit.count(read=batch.read, pages=1)
        unit.forget(_settled(page, rejects))
        self._settle(unit, batch, rejects)
        self._total.read += batch.read
        self._total.rejected += len(rejects)
        # Beyond the limit the cursor stays, so that the records come again once the cause is mended.
        moves = page.cursor is not None and not self._context.max_rejects.passed(self._total)
        if moves:
            unit.advance(page.cursor, page.cursor_name)
        return moves

    def _settle(self, unit: Unit, batch: Batch, rejects: Sequence[Refused]) -> None:
        """Books what was rejected, and takes back what was rejected before of records that get through now."""
        if self._rejected is None:
            self._rejected = self._context.rejected()
        if self._rejected:
            again = {id(record) for record, _ in rejects}
            through = {self._key_of(record) for record in batch.records if id(record) not in again}
            unit.settle(sorted(key for key in through & self._rejected if key is not None))
            self._rejected -= through
        for record, reason in rejects:
            key = self._key_of(record)
            unit.reject(record, reason, key)
            self._rejected |= {key} if key is not None else set()

    def judge(self, *, final: bool) -> None:
        """Raises TooManyRejects: a number counts at once, a share at the end or after a thousand records."""
        limit, total = self._context.max_rejects, self._total
        if limit.passed(total) and (final or limit.count is not None or total.read >= _TELLING):
            allowed = f"{limit.count}" if limit.count is not None else f"{limit.share or 0:.2%}"
            raise TooManyRejects(
                f"{total.rejected} of {total.read} records were rejected, allowed are {allowed}: "
                f"look at them with `worker rejects {self._context.run_id}`, or raise max_rejects."
            )


def _settled(page: Page, rejects: Sequence[Refused]) -> list[str]:
    """Returns the hashes of the page's kept rejects that got through."""
    again = {id(record) for record, _ in rejects}
    return [name for record, name in zip(page.records, page.settles, strict=False) if id(record) not in again]
