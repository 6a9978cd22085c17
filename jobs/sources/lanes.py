"""Several walks at once, their pages in the order of the walks: slices of a span, children of different parents."""

import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack

from jobs.ahead import ahead
from jobs.flow import Page

_KEPT = 2  # pages of a walk that wait for their turn
_MOST = 500  # records gathered from small pages, which would each cost a transaction
_LONGEST_S = 1.0  # that they wait for others


def in_lanes(walks: Generator[Generator[Page]], parallel: int) -> Generator[Page]:
    """Yields the pages of each walk, one walk after the other, while up to `parallel` of them are under way.

    An error of a walk is raised after the pages that come before it.
    """
    running: deque[tuple[ExitStack, Iterator[list[Page]]]] = deque()
    try:
        while _fill(running, walks, parallel):
            stack, groups = running[0]
            for group in groups:
                yield from group
            stack.close()
            running.popleft()
    finally:
        for stack, _ in running:
            stack.close()
        walks.close()


def _fill(
    running: deque[tuple[ExitStack, Iterator[list[Page]]]], walks: Generator[Generator[Page]], parallel: int
) -> bool:
    """Starts walks as long as there is room; returns whether any is under way."""
    while len(running) < parallel and (walk := next(walks, None)) is not None:
        stack = ExitStack()
        running.append((stack, stack.enter_context(ahead(walk, _KEPT if parallel > 1 else 0))))
    return bool(running)


def gathered(pages: Generator[Page], clock: Callable[[], float] = time.monotonic) -> Generator[Page]:
    """Yields small pages, of which none moves a cursor, as larger ones; what came before an error comes before it."""
    held, since = Page([]), clock()
    try:
        for page in pages:
            records, rejects = held.records + page.records, held.rejects + page.rejects
            held = Page(records, rejects=rejects, partial=held.partial or page.partial)
            if len(held.records) >= _MOST or clock() - since >= _LONGEST_S:
                yield held
                held, since = Page([]), clock()
    except Exception:
        yield held
        raise
    finally:
        pages.close()
    yield held
