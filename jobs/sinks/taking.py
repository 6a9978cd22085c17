"""What a table takes of rows that fit its columns: all that the database does not refuse, one by one if need be."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from jobs.contract import Json
from jobs.sinks.bulk import Stamp, Statement

_OF_ROWS = {  # PostgreSQL's states that no class of error tells
    "54000",  # a row beyond its page, a value beyond its index
    "21000",  # one key twice in a statement, in two spellings: upper and lower case of a uuid
}
Values = tuple[Json, ...]


@dataclass
class Taken:
    """What became of rows: `refused` says why, by a row's place; `keys` are the stored keys of all that have one."""

    written: int = 0
    unchanged: int = 0
    refused: dict[int, str] = field(default_factory=dict)
    keys: list[Values] = field(default_factory=list)


def store(batch: Sequence[tuple[int, Values]], statement: Statement, stamp: Stamp, taken: Taken) -> None:
    """Stores rows, each with its place; those that the database refuses are found by halving behind savepoints."""
    if not batch:
        return
    connection = statement.connection
    try:
        with connection.begin_nested():
            written = statement.write([values for _, values in batch], stamp)
    except Exception as error:
        of_a_row = blames_a_row(error, connection)
        if (of_a_row or _is_beyond(error, connection)) and (careful := statement.careful):
            store(batch, careful, stamp, taken)
            return
        if not of_a_row:
            raise
        if len(batch) == 1:
            words = str(getattr(error, "orig", error)).splitlines()[0]
            taken.refused[batch[0][0]] = f"the database refused it: {words}"
            return
        half = len(batch) // 2
        store(batch[:half], statement, stamp, taken)
        store(batch[half:], statement, stamp, taken)
    else:
        taken.written += written
        taken.unchanged += len(batch) - written


def blames_a_row(error: Exception, connection: sa.Connection) -> bool:
    """Tells whether a row's content is to blame, rather than the database or the statement."""
    driver = connection.dialect.loaded_dbapi
    faults = (sa.exc.DataError, sa.exc.IntegrityError, driver.DataError, driver.IntegrityError)
    state = getattr(getattr(error, "orig", error), "sqlstate", "")
    return isinstance(error, (*faults, OverflowError, UnicodeError)) or state in _OF_ROWS


def _is_beyond(error: Exception, connection: sa.Connection) -> bool:
    """Tells whether the table does not bear such a statement: PostgreSQL merges into none that has rules."""
    return isinstance(error, connection.dialect.loaded_dbapi.NotSupportedError)
