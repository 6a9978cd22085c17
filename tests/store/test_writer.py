"""The writer."""

import sqlalchemy as sa

from worker.store.writer import Writer


def test_smoke(writer: Writer) -> None:
    """An operation's result comes back."""
    assert writer.call(lambda connection: connection.scalar(sa.text("select 1"))) == 1
