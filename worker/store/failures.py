"""Which errors of a driver are the database's own trouble, and pass, and which are the statement's."""

import sqlite3

import sqlalchemy as sa

_SQLITE_PASSING = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PROTOCOL,
    }
)
# SQLSTATE: connection, idle for too long, rolled back (deadlock), resources (disk full), shutdown, system error
_POSTGRES_PASSING = ("08", "25P03", "40", "53", "57P", "58")


def passes(error: BaseException) -> bool:
    """Tells whether the same transaction may succeed later: the database was full, gone or busy."""
    if isinstance(error, sa.exc.DBAPIError):
        return error.connection_invalidated or (error.orig is not None and passes(error.orig))
    if isinstance(error, sqlite3.Error):
        code: int | None = getattr(error, "sqlite_errorcode", None)  # unset where the driver, not SQLite, complains
        return code is not None and code & 0xFF in _SQLITE_PASSING
    state = getattr(error, "sqlstate", None)
    return isinstance(state, str) and state.startswith(_POSTGRES_PASSING)


def short(error: BaseException) -> str:
    """Returns the driver's own words in one line, without statement, values or hints."""
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) and error.orig is not None else error
    lines = str(cause).strip().splitlines()
    return lines[0] if lines else type(cause).__name__
