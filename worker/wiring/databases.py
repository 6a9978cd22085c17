"""The worker's own database, opened, brought up to date and checked against the key ring; and the others."""

import sys
from functools import partial

import sqlalchemy as sa

from worker.config.load import Configuration
from worker.model.errors import ConfigurationError, KeyRingError, SecretError, StoreError
from worker.model.moments import utc_now
from worker.model.sections import DatabaseOptions
from worker.store import keyring, revision
from worker.store.database import Database
from worker.store.other import Others, open_other
from worker.store.postgres import Holder
from worker.vault.cipher import Cipher
from worker.vault.keyring import KeyRing, Ring
from worker.vault.secret import Secret
from worker.vault.sources import resolve
from worker.wiring.own import open_own
from worker.wiring.secrets import Secrets


def other_databases(configuration: Configuration, secrets: Secrets, holder: Holder | None) -> Others:
    """Returns the databases that jobs read and write, each to be opened when it is first needed."""

    def opened(name: str, url: str) -> Database:
        return held(_open_other(url, secrets.passwords.get(name)), holder)

    return Others({name: partial(opened, name, options.url) for name, options in configuration.databases.items()})


def held(database: Database, holder: Holder | None) -> Database:
    """Lets no transaction of a process that stands still outlast its lease: who takes its runs over needs the locks."""
    database.holder = holder
    return database


def lazy_databases(configuration: Configuration) -> Others:
    """Returns the same, each with its password fetched only when it is opened; then raises SecretError."""
    return Others({name: partial(_fetch_and_open, options) for name, options in configuration.databases.items()})


def _fetch_and_open(options: DatabaseOptions) -> Database:
    return _open_other(options.url, resolve(options.password, "the password") if options.password else None)


def _open_other(url: str, password: Secret | None) -> Database:
    return open_other(url, password.reveal() if password else None)


def try_databases(configuration: Configuration, secrets: Secrets) -> None:
    """Opens every database of the configuration, and closes it again; raises ConfigurationError for those that fail.

    A SQLite file that is not there is made.
    """
    problems = []
    openers = {
        f"databases.{name}.url": partial(_open_other, options.url, secrets.passwords.get(name))
        for name, options in configuration.databases.items()
    }
    for key, opener in ({"database.url": partial(open_own, configuration.database)} | openers).items():
        try:
            opener().close()
        except (StoreError, SecretError) as error:
            problems.append(configuration.problem(key, str(error)))
    if problems:
        raise ConfigurationError(problems)


def prepare(database: Database, ring: Ring) -> Cipher:
    """Brings the schema up to date, checks the key ring against the database and returns the cipher for it.

    Raises SchemaMismatch, or KeyRingError that names the key id; then nothing was changed but the schema.
    """
    if not revision.is_newest(database):
        # Mako, which alembic brings, would load the lexers of pygments to colour its templates' errors: 4 MB.
        sys.modules.setdefault("mako.ext.pygmentplugin", None)  # type: ignore[arg-type]  # None: there is no such module
        from worker.store import schema  # noqa: PLC0415  alembic would stay in memory, 9 MB, for what is done already

        schema.upgrade(database)
    return admit(database, ring)


def admit(database: Database, ring: Ring) -> Cipher:
    """Checks the key ring against a database, whose memory of its keys it brings up to date; returns the cipher.

    Raises KeyRingError that names the key id; then nothing was changed.
    """
    with database.write() as connection:
        cipher = Cipher(ring, keyring.ensure_installation(connection, utc_now()))
        _check(connection, cipher, ring.current())
        _remember(connection, cipher, ring.current())
    return cipher


def _check(connection: sa.Connection, cipher: Cipher, ring: KeyRing) -> None:
    for row in keyring.rows(connection):
        known = row.key_id in ring.kids
        if not known and row.state == "active":
            raise KeyRingError(
                f"the key ring does not hold the key {row.key_id} that this database is sealed with; "
                f"it holds {', '.join(ring.kids)}. Put the old key ring back; nothing was changed."
            )
        if known and not cipher.verify_check_value(row.key_id, row.check_value):
            raise KeyRingError(
                f"the key ring holds another key under the id {row.key_id} than the one this database is sealed with. "
                "Put the old key ring back; nothing was changed."
            )


def _remember(connection: sa.Connection, cipher: Cipher, ring: KeyRing) -> None:
    for key_id in ring.kids:
        state = "active" if key_id == ring.active else "old"
        keyring.remember(connection, key_id, state, cipher.check_value(key_id), utc_now())
