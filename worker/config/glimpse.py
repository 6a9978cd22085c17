"""Only where the database is: for verbs about a daemon that works, whatever the rest of the configuration says."""

import os
from pathlib import Path

from worker.config.check import validate
from worker.config.environment import override
from worker.config.includes import alone
from worker.config.paths import absolute
from worker.config.shape import kinds_of, walk
from worker.model.errors import ConfigurationError
from worker.model.sections import OWN_DATABASE, DatabaseOptions
from worker.model.values import Options


class _Own(Options):
    """A main file of which nothing else is looked at."""

    database: DatabaseOptions


def database_options(main: Path) -> DatabaseOptions:
    """Returns `[database]` of a main file; raises ConfigurationError where that cannot be read.

    Neither are included files read nor is anything else validated: with 10,000 jobs that takes seconds.
    """
    draft = alone(main, "database")
    if not draft.problems:
        override(draft, os.environ)
        draft.problems.clear()  # variables of other sections, which are not looked at
        draft.data = {"database": {"url": OWN_DATABASE} | draft.data.get("database", {})}
        absolute(draft, walk(draft.data, kinds_of(_Own), ()))
        options = validate(draft, ("database",), DatabaseOptions)
        if options is not None:
            return options
    raise ConfigurationError(draft.problems)
