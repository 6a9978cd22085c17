"""TOML files to a configuration, or to a list of everything that is wrong with them."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from worker.config import definitions, kept, profiles
from worker.config.acting import check_acting
from worker.config.check import inspect, validate
from worker.config.configuration import Configuration, JobDefinition
from worker.config.draft import Draft
from worker.config.environment import override
from worker.config.includes import NAMED, join
from worker.config.paths import absolute
from worker.config.references import check_names, check_order
from worker.config.sentences import found
from worker.config.shape import kinds_of
from worker.config.whole import Whole
from worker.model.account import AccountOptions
from worker.model.errors import ConfigurationError, Problem
from worker.model.options import OWN_DATABASE, OtherDatabaseOptions, Sections
from worker.model.values import NAME

__all__ = ["Configuration", "JobDefinition", "load"]

ModelT = TypeVar("ModelT", bound=BaseModel)
_WHOLE = kinds_of(Whole)


def load(path: Path, environment: Mapping[str, str] = os.environ, before: Configuration | None = None) -> Configuration:
    """Returns the configuration in a TOML file and those it includes; raises ConfigurationError with every problem.

    Jobs that are as they were `before`, and stand on the same ground, keep their definitions.
    """
    draft, files = join(path)
    if draft.problems and not draft.data:
        raise ConfigurationError(draft.problems)
    override(draft, environment)
    _set_defaults(draft)
    _check_tables(draft)
    ground, signs = kept.ground(draft), kept.written(draft)
    same = kept.untouched(draft, signs, before) if before and before.ground == ground else {}
    draft.kept.update(same)
    profiles.spread(draft)
    spots = inspect(draft, (), _WHOLE, {})
    said = definitions.complete(draft, {(): _WHOLE}, signs)
    absolute(draft, spots)
    check_names(draft, spots)
    sections = _sections(draft)
    check_order(draft)
    check_acting(draft)
    names = list(draft.tables("jobs"))
    defined = {**same, **definitions.define_all(draft, said)}
    if draft.problems:
        raise ConfigurationError(_in_order(draft.problems, files))
    jobs, known = {name: defined[name] for name in names}, draft.tables("profiles")
    return Configuration(**sections, jobs=jobs, files=files, places=draft.places, profiles=known, ground=ground)


def _sections(draft: Draft) -> dict[str, Any]:
    """Returns every validated section but the jobs; notes what is wrong with them."""
    return {
        **{name: _section(draft, name) for name in Sections.model_fields},
        "accounts": _validated(draft, "accounts", AccountOptions),
        "databases": _validated(draft, "databases", OtherDatabaseOptions),
    }


def _set_defaults(draft: Draft) -> None:
    """Makes every section a table, and names the database's file, which lies beside the main file."""
    for name in Sections.model_fields:
        if name != "vault":
            draft.data.setdefault(name, {})
    database = draft.data["database"]
    if isinstance(database, dict) and "url" not in database:
        database["url"] = OWN_DATABASE


def _check_tables(draft: Draft) -> None:
    """Notes names that are none, and takes out what is no table."""
    for section in NAMED:
        for name, table in list(draft.data.get(section, {}).items()):
            path = (section, name)
            if not isinstance(table, dict):
                draft.blame(path, f"expected a table [{section}.NAME], found {found(table, path)}")
                del draft.data[section][name]
            elif not re.fullmatch(NAME, name):
                draft.blame(path, "expected a name of at most 63 small letters, digits, _ . and -, found another")


def _section(draft: Draft, name: str) -> BaseModel | None:
    """Returns a section of fixed shape; None, with its problems noted, where it is not valid."""
    if name not in draft.data:
        remedy = 'say where the key ring lies: keys = { file = "worker.keys" }'
        draft.blame((name,), f"the table [{name}] is missing; {remedy}")
        return None
    model: Any = Sections.model_fields[name].annotation
    section: BaseModel | None = validate(draft, (name,), model)
    return section


def _validated(draft: Draft, section: str, model: type[ModelT]) -> dict[str, ModelT]:
    found_valid = {name: validate(draft, (section, name), model) for name in draft.tables(section)}
    return {name: options for name, options in found_valid.items() if options is not None}


def _in_order(problems: Iterable[Problem], files: tuple[Path, ...]) -> list[Problem]:
    """Returns the problems as a person mends them: file after file, line after line."""
    order = {file: number for number, file in enumerate(files)}

    def rank(problem: Problem) -> tuple[int, int]:
        return order.get(problem.file, len(order)) if problem.file else -1, problem.line or 0

    return sorted(problems, key=rank)
