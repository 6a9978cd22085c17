"""What only the whole can tell of a configuration: no job may write to a table of the worker's own."""

from collections.abc import Iterator

from worker.config.load import Configuration
from worker.model.errors import ConfigurationError, Problem
from worker.store.tables import OWN_NAMES


def verify(configuration: Configuration) -> None:
    """Raises ConfigurationError that lists every job whose destination is one of the worker's tables or views."""
    problems = list(_own_tables(configuration))
    if problems:
        raise ConfigurationError(problems)


def _own_tables(configuration: Configuration) -> Iterator[Problem]:
    own = {None, *(name for name, one in configuration.databases.items() if one.url == configuration.database.url)}
    for name, job in configuration.jobs.items():
        destination = getattr(job.options, "destination", None)
        table = getattr(destination, "table", "")
        if table.lower() in OWN_NAMES and getattr(destination, "database", None) in own:
            message = f'the table "{table}" is the worker\'s own; name another, such as "{name.replace("-", "_")}_rows"'
            yield configuration.problem(f"jobs.{name}.destination.table", message)
