"""What an API deleted, as a resource of its own tells: read after the records, in the same run.

Its first run begins at its own start: what was deleted before never came. Its cursor is the job's one of the name
`deletions`.
"""

from collections.abc import Generator
from dataclasses import replace

from pydantic import Field

from jobs.contract import AccountRef, BadRecord, Context, Json
from jobs.flow import Page
from jobs.paths import Path, getter
from jobs.sources.cursor import CursorOptions, Watermark
from jobs.sources.marks import TimeMark
from jobs.sources.rest import RestOptions, RestSource

NAME = "deletions"


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
        self._is_first = False

    def before(self, context: Context) -> Generator[Page]:
        """Yields what sets the cursor of a first run to its start, before any record is stored.

        Else a row that is stored by a run which fails, and deleted before the next one, would stay for ever.
        """
        cursor = self._options.cursor
        if isinstance(cursor, CursorOptions) and not cursor.initial:
            self._is_first = context.cursor(NAME, self._database).version == 0
        if self._is_first:
            yield Page([], cursor=context.window.until.isoformat().replace("+00:00", "Z"), cursor_name=NAME)

    def pages(self, context: Context) -> Generator[Page]:
        """Yields keys as what is gone; a record that names none is a reject."""
        for page in self._walk(context):
            gone, rejects = list[dict[str, Json]](), list(page.rejects)
            for record in page.records:
                try:
                    gone.append(self._key(record))
                except BadRecord as error:
                    rejects.append((record, str(error)))
            yield replace(page, records=[], gone=gone, rejects=rejects, total=None)

    def _walk(self, context: Context) -> Generator[Page]:
        cursor = self._options.cursor
        if not (self._is_first and isinstance(cursor, CursorOptions)):
            return self._source.pages(context)
        until = context.window.until  # as `before` told it, whether or not that is stored by now
        sorted_cursor = self._options.sorted_cursor
        told = sorted_cursor if isinstance(sorted_cursor, CursorOptions) else cursor
        return self._source.walked(context, TimeMark(told, Watermark(told, until, until)))

    def _key(self, record: Json) -> dict[str, Json]:
        key = {column: get(record) for column, get in self._getters.items()}
        for column, value in key.items():
            if value is None or value == "":
                raise BadRecord(f"it names nothing that is gone: {self._options.key[column]} gives no {column}")
        return key
