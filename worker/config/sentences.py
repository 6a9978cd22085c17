"""One sentence for what a model refuses: what was expected, what was found; never a value that may be secret."""

import re
from collections.abc import Mapping
from datetime import date, time
from typing import Any

from pydantic_core import ErrorDetails

from worker.config.lines import KeyPath, Toml
from worker.config.nearest import hint

_MAY_BE_SECRET = re.compile(
    r"secret|passw|token|credential|auth|cookie|headers|params|proxy|url|_key$|^key$|^keys$|^pin$", re.IGNORECASE
)
QUOTED = r"'([^']*)'"  # a choice in pydantic's lists of them
_LONGEST_SHOWN = 60
_EXPECTED = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "decimal": "a number",
    "bool": "true or false",
    "list": "a list",
    "tuple": "a list",
    "set": "a list",
    "frozen_set": "a list",
    "dict": "a table",
    "mapping": "a table",
    "model": "a table",
    "dataclass": "a table",
    "path": "a path",
    "datetime": "a date and a time",
    "date": "a date",
    "time": "a time of day",
}
_BOUNDS = {
    "greater_than_equal": "{ge} or more",
    "greater_than": "more than {gt}",
    "less_than_equal": "{le} or less",
    "less_than": "less than {lt}",
    "too_short": "at least {min_length} in the list",
    "too_long": "at most {max_length} in the list",
    "string_too_short": "at least {min_length} characters",
    "string_too_long": "at most {max_length} characters",
    "string_pattern_mismatch": "text of the form {pattern}",
}


def may_be_secret(path: KeyPath) -> bool:
    """Tells whether a value under these keys must not be shown."""
    return any(isinstance(part, str) and _MAY_BE_SECRET.search(part) for part in path)


def found(value: Toml, path: KeyPath) -> str:
    """Returns what was found in words; of text that may be secret, only that it is text."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        return "text" if may_be_secret(path) or len(value) > _LONGEST_SHOWN else f'"{value}"'
    if isinstance(value, date | time):
        return f"the time {value.isoformat()}" if isinstance(value, time) else f"the date {value.isoformat()}"
    return "a list" if isinstance(value, list | tuple) else "a table"


def expected(error: ErrorDetails) -> str | None:
    """Returns what the model wanted, in words; None where its message is a sentence of its own."""
    context: Mapping[str, Any] = error.get("ctx") or {}
    kind = error["type"]
    if kind in _BOUNDS:
        return _BOUNDS[kind].format_map(context)
    if kind in ("literal_error", "enum"):
        return f"one of {context.get('expected')}"
    for suffix in ("_type", "_parsing", "_from_float", "_attributes_type", "_from_datetime_inexact"):
        if kind.endswith(suffix) and kind.removesuffix(suffix) in _EXPECTED:
            return _EXPECTED[kind.removesuffix(suffix)]
    return None


def sentence(error: ErrorDetails, value: Toml, path: KeyPath) -> str:
    """Returns the sentence for one error at `path`, where `value` was written."""
    wanted = expected(error)
    if wanted is None:
        return _own_words(error, value, path)
    text = f"expected {wanted}, found {found(value, path)}"
    if error["type"] in ("literal_error", "enum") and isinstance(value, str):
        near = hint(value, re.findall(QUOTED, wanted))
        return f"{text}; {near}" if near.startswith("did") else text
    return text


def _own_words(error: ErrorDetails, value: Toml, path: KeyPath) -> str:
    message = error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    if isinstance(value, str) and value and may_be_secret(path):
        message = message.replace(repr(value), "text").replace(value, "text")
    return message[:1].lower() + message[1:] if error["type"] not in ("value_error", "assertion_error") else message
