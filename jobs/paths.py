"""Paths into JSON documents: JMESPath, checked when configured and compiled once.

A plain or dotted path (`id`, `employee.email`) becomes a few dictionary look-ups; only what is more than that
runs the JMESPath interpreter, which takes fifty times as long.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Annotated

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import AfterValidator, WithJsonSchema

from jobs.contract import BadRecord, Json

Getter = Callable[[Json], Json]

_DOTTED = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")


def _checked(path: str) -> str:
    if not keys(path):
        try:
            jmespath.compile(path)
        except JMESPathError as error:
            raise ValueError(
                f"expected a JMESPath such as data.items, found {path!r} ({str(error).splitlines()[0]}); "
                "put names with other signs than letters, digits and _ into double quotes"
            ) from None
    return path


Path = Annotated[str, AfterValidator(_checked), WithJsonSchema({"type": "string", "examples": ["id", "data.items"]})]
"""A JMESPath (https://jmespath.org/specification.html)."""

OptionalPath = Annotated[str, AfterValidator(lambda path: path and _checked(path))]
"""A JMESPath, or nothing."""


def keys(path: str) -> tuple[str, ...]:
    """Returns the keys of a plain or dotted path, and nothing for any other JMESPath."""
    return tuple(path.split(".")) if _DOTTED.fullmatch(path) else ()


@lru_cache(maxsize=4096)
def getter(path: str) -> Getter:
    """Returns what reads a JMESPath from a document; raises BadRecord where a function in it fails."""
    dotted = keys(path)
    return descent(dotted) if dotted else _interpreted(path)


def descent(steps: tuple[str, ...]) -> Getter:
    """Returns what goes down these keys; None where one is missing, as in JMESPath."""
    if len(steps) == 1:
        only = steps[0]
        return lambda document: document.get(only) if isinstance(document, dict) else None

    def get(document: Json) -> Json:
        for step in steps:
            if not isinstance(document, dict):
                return None
            document = document.get(step)
        return document

    return get


def _interpreted(path: str) -> Getter:
    search = jmespath.compile(path).search

    def get(document: Json) -> Json:
        try:
            return search(document)
        except (JMESPathError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            told = str(error).splitlines() or [type(error).__name__]  # contains('a', `1`) is a TypeError of Python's
            raise BadRecord(f"the path {path!r} cannot be applied: {told[0]}") from None

    return get
