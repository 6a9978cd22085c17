"""A table built anew beside the old one, and the moment in which it takes its place.

The new table is made like the old one: columns, defaults, keys, and on PostgreSQL its indexes and comments. Rights of
other users, the names of indexes, triggers of SQLite follow with the swap; what refers to the table from outside
(views on PostgreSQL, foreign keys) stands in its way, and is told of before the first page.
"""

import re
from collections.abc import Sequence

import sqlalchemy as sa

from jobs.sinks.schema import TableUnfit, aside, quoted, reflect
from jobs.sinks.tongues import tongue

_MYSQL = {"mysql", "mariadb"}
_CREATED = re.compile(r"""^CREATE TABLE\s+("(?:[^"]|"")*"|\[[^]]*]|`[^`]*`|'[^']*'|\w+)""", re.IGNORECASE)
_PARTS = "SELECT sql FROM sqlite_schema WHERE tbl_name = :name COLLATE NOCASE AND type {} AND sql IS NOT NULL"
_DEPENDENTS = """
    SELECT DISTINCT pg_describe_object(d.classid, d.objid, 0) FROM (
        SELECT 'pg_class'::regclass AS classid, w.ev_class AS objid FROM pg_depend p
        JOIN pg_rewrite w ON p.classid = 'pg_rewrite'::regclass AND w.oid = p.objid
        WHERE p.refobjid = to_regclass(quote_ident(:name)) AND w.ev_class <> p.refobjid
        UNION ALL
        SELECT 'pg_constraint'::regclass, oid FROM pg_constraint
        WHERE confrelid = to_regclass(quote_ident(:name)) AND conrelid <> confrelid AND contype = 'f'
    ) AS d"""
_SEQUENCES = """
    SELECT s.relname, a.attname FROM pg_depend d
    JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
    JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    WHERE d.classid = 'pg_class'::regclass AND d.deptype = 'a' AND d.refobjid = to_regclass(quote_ident(:name))"""
_RIGHTS = """
    SELECT CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS who,
        a.privilege_type, a.is_grantable
    FROM pg_class c, aclexplode(c.relacl) AS a
    WHERE c.oid = to_regclass(quote_ident(:name)) AND a.grantee <> c.relowner"""
_INDEXES = """
    SELECT c.relname, i.indisunique::text || substring(pg_get_indexdef(i.indexrelid) FROM ' USING .*') AS definition
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE i.indrelid = to_regclass(quote_ident(:name)) ORDER BY c.relname"""


def drop(connection: sa.Connection, name: str) -> None:
    """Drops a table where it is there."""
    connection.exec_driver_sql(f"DROP TABLE IF EXISTS {quoted(connection, name)}")


def check(connection: sa.Connection, name: str) -> None:
    """Raises TableUnfit where something refers to the table, so that no other can take its place."""
    if tongue(connection).family == "other" and connection.dialect.name not in _MYSQL:
        raise TableUnfit(
            f"the table {name} cannot be replaced on {connection.dialect.name}: "
            'use mode = "mirror" with gone = "delete".'
        )
    if connection.dialect.name != "postgresql":
        return
    found = sorted(connection.execute(sa.text(_DEPENDENTS), {"name": name}).scalars())
    if found:
        raise TableUnfit(
            f"the table {name} cannot be replaced: {', '.join(found)} depends on it. "
            'Drop what depends on it, or use mode = "mirror", which leaves the table in its place.'
        )


def make_like(connection: sa.Connection, name: str, new: str, key: Sequence[str]) -> None:
    """Makes an empty table like another one, to be filled by this key."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(
            f"CREATE TABLE {quoted(connection, new)} (LIKE {quoted(connection, name)} INCLUDING ALL)"
        )
        return
    if connection.dialect.name in _MYSQL:
        connection.exec_driver_sql(f"CREATE TABLE {quoted(connection, new)} LIKE {quoted(connection, name)}")
        return
    (statement,) = _parts(connection, name, "= 'table'")
    text, found = _CREATED.subn(lambda _: f"CREATE TABLE {quoted(connection, new)}", statement, count=1)
    if not found:
        raise TableUnfit(f'the table {name} cannot be made anew from its definition: {statement!r:.80}; use "mirror".')
    connection.exec_driver_sql(text)
    made = reflect(connection, new)
    if key and made is not None and set(key) not in made.keys:  # it is an index, made again with the swap
        columns = ", ".join(quoted(connection, column) for column in key)
        connection.exec_driver_sql(
            f"CREATE UNIQUE INDEX {_key_index(connection, new)} ON {quoted(connection, new)} ({columns})"
        )


def swap(connection: sa.Connection, name: str, new: str, *, is_new: bool) -> None:
    """Puts the new table in the place of the old one, which is dropped; `is_new`: there was none."""
    if connection.dialect.name in _MYSQL:
        _swap_at_once(connection, name, new, is_new=is_new)
        return
    postgres = connection.dialect.name == "postgresql"
    after = [] if is_new else _postgres_after(connection, name, new) if postgres else _sqlite_after(connection, name)
    try:
        if not is_new:
            connection.exec_driver_sql(f"DROP TABLE {quoted(connection, name)}")
    except sa.exc.DBAPIError as error:
        raise TableUnfit(
            f"the table {name} cannot be replaced: {str(error.orig).splitlines()[0]}. "
            'Drop what refers to it, or use mode = "mirror", which leaves the table in its place.'
        ) from error
    _rename(connection, new, name)
    for statement in after:
        connection.exec_driver_sql(statement)


def _swap_at_once(connection: sa.Connection, name: str, new: str, *, is_new: bool) -> None:
    """Renames both tables in one statement: DDL of MySQL belongs to no transaction."""
    old = aside(name, "__old")
    there, made, gone = (quoted(connection, one) for one in (name, new, old))
    drop(connection, old)
    moves = [f"{made} TO {there}"] if is_new else [f"{there} TO {gone}", f"{made} TO {there}"]
    connection.exec_driver_sql(f"RENAME TABLE {', '.join(moves)}")
    drop(connection, old)


def _rename(connection: sa.Connection, new: str, name: str) -> None:
    rename = f"ALTER TABLE {quoted(connection, new)} RENAME TO {quoted(connection, name)}"
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(rename)
        return
    connection.exec_driver_sql(f"DROP INDEX IF EXISTS {_key_index(connection, new)}")
    connection.exec_driver_sql("PRAGMA legacy_alter_table=ON")  # else a view of the old table would be in the way
    try:
        connection.exec_driver_sql(rename)
    finally:
        connection.exec_driver_sql("PRAGMA legacy_alter_table=OFF")


def _sqlite_after(connection: sa.Connection, name: str) -> list[str]:
    """Returns what makes the old table's indexes and triggers again."""
    return _parts(connection, name, "IN ('index', 'trigger')")


def _postgres_after(connection: sa.Connection, name: str, new: str) -> list[str]:
    """Hands sequences over; returns what gives the new table the old one's rights and names of indexes."""
    there, values, quote = (
        quoted(connection, name),
        {"name": name},
        connection.dialect.identifier_preparer.quote_identifier,
    )
    for sequence, column in connection.execute(sa.text(_SEQUENCES), values).all():
        owner = f"{quoted(connection, new)}.{quote(column)}"
        connection.exec_driver_sql(f"ALTER SEQUENCE {quote(sequence)} OWNED BY {owner}")
    rights = [
        f"GRANT {right} ON {there} TO {who}{' WITH GRANT OPTION' if grantable else ''}"
        for who, right, grantable in connection.execute(sa.text(_RIGHTS), values)
    ]
    made = {row.definition: row.relname for row in connection.execute(sa.text(_INDEXES), {"name": new})}
    names = [
        (made[row.definition], row.relname)
        for row in connection.execute(sa.text(_INDEXES), values)
        if row.definition in made
    ]
    renames = [f"ALTER INDEX {quote(own)} RENAME TO {quote(old)}" for own, old in names]
    return [*rights, *renames]


def _parts(connection: sa.Connection, name: str, kind: str) -> list[str]:
    return list(connection.execute(sa.text(_PARTS.format(kind)), {"name": name}).scalars())


def _key_index(connection: sa.Connection, new: str) -> str:
    return quoted(connection, aside(new, "_key"))
