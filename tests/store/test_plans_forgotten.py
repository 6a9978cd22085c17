"""A statement that was prepared before a column's type changed costs one transaction, not the connection for ever."""

import psycopg
import pytest
import sqlalchemy as sa

from worker.model.errors import StoreUnreachable
from worker.store.database import Database


def test_a_widened_column_is_read_after_one_more_try(postgres_database: Database) -> None:
    """Each connection of the pool may know the old type; the error is one that passes."""

    def read() -> object:
        with postgres_database.read() as connection:
            return connection.scalar(sa.text("SELECT n FROM things"))

    with postgres_database.write() as connection:
        connection.exec_driver_sql("CREATE TABLE things (n BIGINT)")
        connection.exec_driver_sql("INSERT INTO things VALUES (7)")
    for _ in range(10):  # psycopg prepares what comes often
        assert read() == 7
    url = postgres_database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as somebody:
        somebody.execute("ALTER TABLE things ALTER COLUMN n TYPE numeric")
    with pytest.raises(StoreUnreachable, match="cached plan"):
        read()
    assert read() == 7
