"""Ends processes, and fails their databases, at chosen moments."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import sqlalchemy as sa

from tests.properties.plans import Death
from worker.store.database import Database


class Died(BaseException):
    """The process was killed here."""


class Reaper:
    """Ends the process, or fails its databases, at a chosen moment; a dead process reaches no database any more."""

    def __init__(self, *databases: Database) -> None:
        self._death: Death | None = None
        self._left = 0
        self.is_dead = False
        for database in dict.fromkeys(databases):
            self._watch(database)

    def _watch(self, database: Database) -> None:
        dialect = database.engine.dialect
        commit = dialect.do_commit

        def watched(connection: Any) -> None:  # noqa: ANN401  the driver's own
            self._meet("commit")
            outcome = self._outcome()
            if outcome == "not":
                connection.rollback()
            else:
                commit(connection)
            if outcome:
                raise _lost(connection)
            self._meet("committed")

        dialect.do_commit = watched  # type: ignore[method-assign, assignment]
        sa.event.listen(database.engine, "before_cursor_execute", lambda *_: self._meet("statement"))

    def plan(self, death: Death | None) -> None:
        """Says when it comes next; nobody is dead now."""
        self._death, self._left, self.is_dead = death, death.after if death else 0, False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Lets another attempt live meanwhile; what is planned waits for the one it is meant for."""
        before = self._death, self._left
        yield
        (self._death, self._left), self.is_dead = before, False

    def kill(self) -> None:
        """Kills the process now."""
        self.is_dead = True
        raise Died

    def check(self) -> None:
        """Raises Died in a process that is dead."""
        if self.is_dead:
            raise Died

    def _meet(self, moment: str) -> None:
        self.check()
        if self._due(moment):
            self.kill()

    def _outcome(self) -> str:
        """Returns how a commit fails that fails now, and nothing for one that does not."""
        for outcome in ("not", "unknown"):
            if self._due(outcome):
                return outcome
        return ""

    def _due(self, moment: str) -> bool:
        if self._death is None or self._death.kind != moment:
            return False
        self._left -= 1
        if self._left >= 0:
            return False
        self._death = None
        return True


def _lost(connection: Any) -> Exception:  # noqa: ANN401  the driver's own
    driver = connection.driver_connection
    if isinstance(driver, psycopg.Connection):
        driver.close()
        return psycopg.OperationalError("the connection was lost")
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR
    return error
