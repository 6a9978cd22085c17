"""Whether a run reads what changed since its cursor, or everything, and how everything is read.

A whole pass reads without the cursor's bounds: what changes meanwhile would fall out of them, and be taken for gone.
The cursor stays where it is then, so nothing is lost. When the last whole pass began stands in the job's cursor of the
name `full`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from jobs.contract import Context, Cursor, Json
from jobs.sources.composed import ApiOptions
from jobs.sources.opaque import OpaqueCursorOptions
from jobs.sources.sql import SqlSourceOptions

NAME = "full"


@dataclass(frozen=True)
class Reading:
    """How one run reads: by which options, in which context; `is_whole` means that what does not come is gone.

    `is_full` means that everything there was came, so that the next whole pass has time.
    """

    options: ApiOptions | SqlSourceOptions
    context: Context
    is_whole: bool
    is_full: bool


def resumes(source: ApiOptions | SqlSourceOptions) -> bool:
    """Tells whether a source goes on where the last run ended."""
    if isinstance(source, SqlSourceOptions):
        return source.changed_only or source.cursor is not None
    return source.cursor is not None or source.slices is not None


def is_exact(source: ApiOptions | SqlSourceOptions) -> bool:
    """Tells whether a source that goes on brings no record twice; a time or a look-back brings some again."""
    if isinstance(source, SqlSourceOptions):
        return source.changed_only
    return isinstance(source.cursor, OpaqueCursorOptions)


def asks_for_all(params: Mapping[str, Json]) -> bool:
    """Tells whether a person asked that the run read everything."""
    return str(params.get(NAME, "")).lower() == "true"


def is_due(last: Json, now: datetime, every_s: float | None, params: Mapping[str, Json]) -> bool:
    """Tells whether a run has to read everything; `last` is when the last one began that did, in ISO 8601."""
    if asks_for_all(params):
        return True
    if every_s is None:
        return False
    return last is None or now - datetime.fromisoformat(last) >= timedelta(seconds=every_s)


def reading(
    source: ApiOptions | SqlSourceOptions, context: Context, database: str | None, every_s: float | None
) -> Reading:
    """Returns how this run reads; the cursor is kept in `database`, where the rows go."""
    if not resumes(source):
        return Reading(source, context, is_whole=True, is_full=False)
    if every_s is None and NAME not in context.params:
        return Reading(source, context, is_whole=False, is_full=False)
    last = context.cursor(NAME, database).value
    if context.cursor("", database).value is None and last is None:  # a first run; its cursor has to move
        return Reading(source, context, is_whole=False, is_full=True)
    if not is_due(last, context.window.until, every_s, context.params):
        return Reading(source, context, is_whole=False, is_full=False)
    return _everything(source, context)


def _everything(source: ApiOptions | SqlSourceOptions, context: Context) -> Reading:
    """Returns how a source that goes on reads all: without its cursor, or, where it cannot, from the cursor's start."""
    without: dict[str, Json] = {}
    if isinstance(source, SqlSourceOptions):
        without = {"cursor": None, "changed_only": False} if source.table is not None else {}
    elif not (source.slices or is_exact(source)):
        without = {"cursor": None}
    if without:
        return Reading(source.model_copy(update=without), context, is_whole=True, is_full=True)
    return Reading(source, cast("Context", _Afresh(context)), is_whole=True, is_full=True)


def note(context: Context, database: str | None) -> None:
    """Stores when this run began, which has read everything."""
    with context.unit(database) as unit:
        unit.advance(context.window.until.isoformat(), NAME)


class _Afresh:
    """A context in which the job's cursor has not moved yet; all else is as it is."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def cursor(self, name: str = "", database: str | None = None) -> Cursor:
        """Returns a cursor without a value; others as they are."""
        found = self._context.cursor(name, database)
        return found if name else Cursor(None, found.version)

    def __getattr__(self, name: str) -> Json:
        """Returns what the context has."""
        return getattr(self._context, name)
