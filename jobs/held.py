"""A run that is held to a window, as a backfill's or a replay's is: it reads that span, and no cursor moves.

Where a source goes on from a cursor, the window's beginning stands in for it, less the look-back. Its end bounds what
comes as far as the source can be asked to: what changed after it may come too, and is stored, which is no harm by key.
"""

from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any

from jobs.contract import Context, Cursor, Json
from jobs.flow import Page
from jobs.fullpass import asks_for_all, resumes
from jobs.sources.composed import ApiOptions
from jobs.sources.opaque import OpaqueCursorOptions
from jobs.sources.sql import SqlSourceOptions
from jobs.templates import places

Source = ApiOptions | SqlSourceOptions

_ENDS = {"since", "until"}


class Held:
    """A context whose cursors all stand at the beginning of the run's window; all else is as it is."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def cursor(self, name: str = "", database: str | None = None) -> Cursor:  # noqa: ARG002 - nothing is looked up
        """Returns the window's beginning; without a value where it has none."""
        since = self._context.window.since
        return Cursor(since.isoformat().replace("+00:00", "Z") if since else None, 1)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  whatever the context has
        """Returns what the context has."""
        return getattr(self._context, name)


def unmoved(pages: Generator[Page]) -> Generator[Page]:
    """Yields pages that move no cursor."""
    with closing(pages):
        for page in pages:
            yield replace(page, cursor=None)


def window_problem(source: Source, params: Mapping[str, Json]) -> str:
    """Returns why a source cannot be held to a window; empty where it can."""
    if asks_for_all(params):
        return "with full=true a run reads everything, whatever its window"
    if isinstance(source, SqlSourceOptions):
        if source.changed_only:
            return "its source reads what changed since its last run (changed_only), which no span of time bounds"
        if source.query is not None and source.cursor is not None:
            return "its query asks for :cursor, which no span of time bounds; one with :since and :until can be held"
        return ""
    parts = [source, *([source.deletions] if source.deletions else [])]
    if any(isinstance(part.cursor, OpaqueCursorOptions) for part in parts):
        return "its cursor is a token of the far end's own, which no span of time bounds"
    return ""


def backfill_problem(source: Source, mode: str, params: Mapping[str, Json]) -> str:
    """Returns why a backfill of such a job makes no sense; empty where it does."""
    if problem := window_problem(source, params):
        return problem
    if not (resumes(source) or _ENDS & _asked(source)):
        return "nothing of its source depends on the window: each run reads everything, as `worker trigger` does once"
    if mode == "replace" or (mode == "mirror" and not resumes(source)):
        return f'its destination has mode = "{mode}", which would leave the rows of the last window only'
    return ""


def _asked(source: Source) -> set[str]:
    if isinstance(source, SqlSourceOptions):
        return source.asked if source.query or source.where else set()
    return places([source.path, source.params, source.body])
