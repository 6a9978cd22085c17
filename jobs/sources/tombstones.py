"""What an API deleted, as a resource of its own tells: read before the records, in the same run.

Its first run begins at its own start: what was deleted before never came. Its cursor is the job's one of the name
`deletions`.
"""

from collections.abc import Callable, Generator
from dataclasses import replace
from datetime import datetime

from pydantic import Field

from jobs.contract import AccountRef, BadRecord, Context, Json
from jobs.flow import Page
from jobs.paths import Path, descent, getter
from jobs.sources.cursor import CursorOptions, read_time
from jobs.sources.marks import AnyCursor
from jobs.sources.rest import RestOptions, RestSource

NAME = "deletions"
_TOGETHER = 100_000  # keys in one page: some 50 MB


class DeletionsOptions(RestOptions):
    """A resource whose records each name one that is gone."""

    account: AccountRef = Field(default="", description="Absent: the source's own.")
    key: dict[str, Path] = Field(
        min_length=1, description="The destination's key columns, each with the path to its value in a record."
    )


class Tombstones:
    """Reads what is gone; the cursor is kept in `database`, where the rows go."""

    def __init__(self, options: DeletionsOptions, account: str, ahead: int, database: str | None) -> None:
        self._options = options.model_copy(update={"account": options.account or account})
        self._database = database
        self._source = RestSource(self._options, ahead, NAME, database)
        self._getters = {column: getter(path) for column, path in options.key.items()}
        self._time = _time_of(options.cursor)

    def pages(self, context: Context) -> Generator[Page]:
        """Yields keys as what is gone, together: a guard is to weigh all of them before the first goes.

        A record that names none is a reject. A first run sets the cursor to its start, before any record is stored:
        else a row that is stored by a run which fails, and deleted before the next one, would stay for ever.
        """
        cursor = self._options.cursor
        begins = isinstance(cursor, CursorOptions) and not cursor.initial
        if begins and context.cursor(NAME, self._database).version == 0:
            yield Page([], cursor=context.window.until.isoformat().replace("+00:00", "Z"), cursor_name=NAME)
            return
        told: Page | None = None
        for page in self._source.pages(context):
            told = _joined(told, self._told(page))
            if len(told.gone) >= _TOGETHER:
                yield told
                told = None
        if told is not None:
            yield told

    def _told(self, page: Page) -> Page:
        gone, times, rejects = list[dict[str, Json]](), list[datetime | None](), list(page.rejects)
        for record in page.records:
            try:
                gone.append(self._key(record))
            except BadRecord as error:
                rejects.append((record, str(error)))
            else:
                times.append(self._time(record))
        return replace(page, records=[], gone=gone, gone_at=times, rejects=rejects, total=None)

    def _key(self, record: Json) -> dict[str, Json]:
        key = {column: get(record) for column, get in self._getters.items()}
        for column, value in key.items():
            if value is None or value == "":
                raise BadRecord(f"it names nothing that is gone: {self._options.key[column]} gives no {column}")
        return key


def _time_of(cursor: AnyCursor | None) -> Callable[[Json], datetime | None]:
    """Returns what tells when a record's key went: by the field of a cursor over time, which can be read by then."""
    if not isinstance(cursor, CursorOptions):
        return lambda _: None
    get = descent(tuple(cursor.field.split(".")))
    return lambda record: read_time(get(record), cursor.format)


def _joined(before: Page | None, page: Page) -> Page:
    """Returns two pages as one, in their order."""
    if before is None:
        return page
    return replace(
        page,
        cursor=before.cursor if page.cursor is None else page.cursor,
        gone=before.gone + page.gone,
        gone_at=before.gone_at + page.gone_at,
        rejects=before.rejects + page.rejects,
        partial=before.partial or page.partial,
    )
