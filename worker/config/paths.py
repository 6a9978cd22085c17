"""Relative paths made absolute: taken from the folder of the file that names them."""

from collections.abc import Iterable
from pathlib import Path

from worker.config.draft import Draft
from worker.config.lines import KeyPath, Toml
from worker.config.shape import Spot
from worker.model.calendars import Calendar
from worker.model.sections import DatabaseOptions, OtherDatabaseOptions

_SQLITE = "sqlite:///"
_FILES = (Path, Calendar)
_DATABASES = (DatabaseOptions, OtherDatabaseOptions)


def absolute(draft: Draft, spots: Iterable[Spot]) -> None:
    """Makes every path absolute that stands at these places, those in SQLite URLs included."""
    for at, value, allowed in spots:
        if isinstance(value, str) and value and not allowed.bases.isdisjoint(_FILES):
            _set(draft, at, str(_folder(draft, at) / Path(value).expanduser()))
        elif isinstance(value, dict) and not allowed.bases.isdisjoint(_DATABASES):
            _absolute_url(draft, (*at, "url"))


def _absolute_url(draft: Draft, at: KeyPath) -> None:
    """Makes a SQLite file's path absolute; other URLs, URIs and databases in memory stay as they are."""
    url = draft.at(at)
    if not isinstance(url, str) or not url.startswith(_SQLITE):
        return
    path, mark, query = url.removeprefix(_SQLITE).partition("?")
    if path and path != ":memory:" and not path.startswith("file:"):
        _set(draft, at, f"{_SQLITE}{_folder(draft, at) / path}{mark}{query}")


def _folder(draft: Draft, at: KeyPath) -> Path:
    return (draft.places.file(at) or draft.main).absolute().parent


def _set(draft: Draft, at: KeyPath, value: Toml) -> None:
    draft.at(at[:-1])[at[-1]] = value
