"""The context of a preview where it cannot do what it promises."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import cast

import pytest

from jobs.contract import GiveUp
from tests.runs.bench import definition
from worker.model.listening import Events
from worker.runs.context import Resources
from worker.runs.preview import PreviewContext
from worker.store.database import Database


def test_a_database_that_keeps_what_is_tried_is_not_touched(sqlite_database: Database) -> None:
    """MySQL commits whenever a table is made: nothing could be taken back."""
    other = cast("Database", SimpleNamespace(dialect="mysql"))
    resources = Resources(sqlite_database, {"shop": other}, {}, lambda: datetime(2026, 3, 1, tzinfo=UTC), Events())
    context = PreviewContext(definition("orders"), resources, {})
    with pytest.raises(GiveUp, match="mysql commits whenever a table is made"), context.unit("shop"):
        raise AssertionError("it must not get here")
