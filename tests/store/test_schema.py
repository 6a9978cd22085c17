"""The migrations: what they make, who may run them, what they refuse."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from tests.contracts.hangar import fly
from tests.store import upgrading
from worker.model.errors import SchemaMismatch
from worker.store.database import Database, open_database
from worker.store.schema import status, upgrade
from worker.store.tables import metadata

REVISIONS = ["0001", "0002", "0003"]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Names a database without any table."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/empty.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def empty(empty_url: str) -> Iterator[Database]:
    """Opens a database without any table."""
    database = open_database(empty_url)
    yield database
    database.close()


def test_upgrade_applies_all_once(empty: Database) -> None:
    """An empty database gets every revision, and the next upgrade finds nothing to do."""
    before = status(empty)
    assert (before.current, before.head, before.pending) == (None, REVISIONS[-1], REVISIONS)
    assert upgrade(empty) == REVISIONS
    assert upgrade(empty) == []
    after = status(empty)
    assert (after.current, after.pending) == (REVISIONS[-1], [])


def test_migrations_make_the_tables_of_the_sheet(database: Database) -> None:
    """Alembic finds nothing to change between the migrated schema and worker/store/tables.py."""
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def _described(connection: sa.Connection) -> set[str]:
    """Returns every table, column, constraint and index in the database's own words, without white space."""
    if connection.dialect.name == "sqlite":
        found = connection.execute(sa.text("SELECT sql FROM sqlite_master WHERE type <> 'view' AND sql IS NOT NULL"))
    else:
        found = connection.execute(
            sa.text(
                "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' UNION ALL "
                "SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint "
                "WHERE connamespace = 'public'::regnamespace UNION ALL "
                "SELECT concat_ws(' ', table_name, column_name, data_type, is_nullable, column_default) "
                "FROM information_schema.columns "
                "JOIN information_schema.tables USING (table_schema, table_name) "
                "WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
            )
        )
    return {re.sub(r"\s+", "", text) for text in found.scalars() if "alembic_version" not in text}


def _tell_postgres() -> None:
    """Says the conditions of partial indexes, which the sheet says to SQLite alone, to PostgreSQL as well."""
    for index in (index for table in metadata.tables.values() for index in table.indexes):
        index.dialect_options["postgresql"]["where"] = index.dialect_options["sqlite"]["where"]


def test_indexes_and_constraints_match_the_sheet(empty: Database) -> None:
    """Partial indexes, keys and uniques, which alembic's comparison skips, are the same as well."""
    with empty.write() as connection:
        _tell_postgres()
        metadata.create_all(connection)
        wanted = _described(connection)
        metadata.drop_all(connection)
    upgrade(empty)
    with empty.read() as connection:
        assert _described(connection) == wanted


def test_unknown_revision_is_refused(database: Database) -> None:
    """A database of a newer program is left alone, with a sentence that names both revisions."""
    with database.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    for ask in (status, upgrade):
        with pytest.raises(SchemaMismatch, match=r"9999.*up to 0003"):
            ask(database)


def test_tables_of_others_are_welcome(empty: Database) -> None:
    """People may keep their own tables beside ours."""
    with empty.write() as connection:
        connection.execute(sa.text("CREATE TABLE orders (id integer)"))
    assert upgrade(empty) == REVISIONS


def test_a_foreign_table_of_our_name_is_refused(empty: Database) -> None:
    """A table of ours that somebody else made is named, and nothing is changed."""
    with empty.write() as connection:
        connection.execute(sa.text("CREATE TABLE runs (id integer)"))
    with pytest.raises(SchemaMismatch, match="tables runs exist"):
        upgrade(empty)
    with empty.read() as connection:
        assert sa.inspect(connection).get_table_names() == ["runs"]


def test_a_failed_upgrade_leaves_nothing(empty: Database) -> None:
    """All of the schema or none: a later revision that fails takes the earlier ones back with it."""
    with empty.write() as connection:
        connection.execute(sa.text("CREATE TABLE call_stats (id integer)"))  # in the way of revision 0002
    with pytest.raises(sa.exc.DBAPIError):
        upgrade(empty)
    assert status(empty).current is None
    with empty.read() as connection:
        assert sa.inspect(connection).get_table_names() == ["call_stats"]


@pytest.mark.process
def test_processes_that_start_at_once_all_succeed(empty_url: str) -> None:
    """Four processes upgrade one empty database: one applies everything, the others nothing."""
    told = fly(upgrading.main, {"url": empty_url}, processes=4)
    assert {code for _, code in told} == {0}
    assert sorted(applied for applied, _ in told) == [[], [], [], REVISIONS]
