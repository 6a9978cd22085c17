"""Cursors beside rows that live elsewhere: whoever comes second moves nothing."""

import pytest

from jobs.contract import Cursor
from jobs.sinks import state
from worker.model.errors import AttemptLost
from worker.runs import elsewhere
from worker.store.database import Database


def test_an_attempt_that_was_overtaken_moves_no_cursor(database: Database) -> None:
    """It stood still between its fence and its commit, and another attempt stored the same page meanwhile."""
    with database.write() as connection:
        elsewhere.place(connection, "feed", {"": Cursor("a", 1)}, 7)
        elsewhere.place(connection, "feed", {"": Cursor("b", 2)}, 7)
    with pytest.raises(AttemptLost, match="moved on"), database.write() as connection:
        elsewhere.place(connection, "feed", {"": Cursor("other b", 2)}, 6)
    with database.read() as connection:
        assert state.cursor(connection, "feed", "") == (Cursor("b", 2), 7)
