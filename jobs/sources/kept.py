"""Records that were rejected before, to be tried again."""

from collections.abc import Generator
from itertools import islice

from jobs.contract import Context, Kept
from jobs.flow import Page

_SIZE = 500  # records a page


class KeptSource:
    """Walks through a job's own rejects; one that was masked or cut stays where it is, and is told of."""

    def pages(self, context: Context) -> Generator[Page]:
        """Yields pages until there are no more."""
        kept, broken = context.kept(), 0
        while found := list(islice(kept, _SIZE)):
            context.check()
            whole = [one for one in found if one.record is not None]
            broken += len(found) - len(whole)
            yield _page(whole)
        if broken:
            context.log.warning("rejects stay: secrets in them were masked or their end was cut off", rejects=broken)


def _page(whole: list[Kept]) -> Page:
    return Page([one.record for one in whole], settles=[one.hash for one in whole])
