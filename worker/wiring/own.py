"""The worker's own database, opened with its password: all that many a verb needs of the wiring."""

from worker.model.sections import DatabaseOptions
from worker.store.database import Database, open_database
from worker.vault.sources import resolve


def open_own(options: DatabaseOptions) -> Database:
    """Opens the worker's own database as it stands; raises SecretError or StoreUnreachable."""
    reference = options.password
    password = resolve(reference, "database.password").reveal() if reference else None
    return open_database(options.url, password)
