"""One process of those that bring a database's schema up to date at the same instant."""

from collections.abc import Callable
from typing import Any

from worker.store.database import open_database
from worker.store.schema import upgrade


def main(orders: dict[str, Any], ready: Callable[[], None]) -> list[str]:
    """Returns the revisions that it applied."""
    database = open_database(orders["url"])
    ready()
    applied = upgrade(database)
    database.close()
    return applied
