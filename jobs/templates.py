"""Templates: `{name}` in texts, paths and JSON documents, filled with values; pure.

A text that is nothing but one place keeps its value's type; inside a text a value is written as JSON writes it, text as
it is. Two braces stand for one: `{{`.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import repeat
from math import isfinite
from urllib.parse import quote

import orjson

from jobs.contract import BadRecord, Json

_PLACE = re.compile(r"\{\{|\}\}|\{([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\}")
_BRACES = {"{{": "{", "}}": "}"}
_HOLDING = frozenset({dict, list, tuple})


def places(template: Json) -> set[str]:
    """Returns the names of a template's places."""
    if isinstance(template, Mapping):
        return set().union(*map(places, template.values()))
    if isinstance(template, list | tuple):
        return set().union(*map(places, template))
    if not isinstance(template, str) or "{" not in template:
        return set()
    return {match[1] for match in _PLACE.finditer(template) if match[1]}


def is_template(template: Json) -> bool:
    """Tells whether there is something to fill: a place, or two braces that stand for one; `}}` alone ends JSON."""
    if isinstance(template, Mapping):
        return any(map(is_template, template.values()))
    if isinstance(template, list | tuple):
        return any(map(is_template, template))
    return isinstance(template, str) and any(match[0] != "}}" for match in _PLACE.finditer(template))


def filled(template: Json, values: Mapping[str, Json]) -> Json:
    """Returns the document with its places filled; raises BadRecord where a value is missing."""
    if isinstance(template, Mapping):
        return {key: filled(part, values) for key, part in template.items()}
    if isinstance(template, list | tuple):
        return [filled(part, values) for part in template]
    if not isinstance(template, str):
        return template
    only = _PLACE.fullmatch(template)
    return _value(values, only[1]) if only and only[1] else text_filled(template, values)


def text_filled(template: str, values: Mapping[str, Json]) -> str:
    """Returns the text with its places filled; raises BadRecord where a value is missing."""
    return _filled(template, values, lambda _name, text: text)


def path_filled(template: str, values: Mapping[str, Json]) -> str:
    """Returns the path with its places filled, each value escaped so that it stays one part of the path.

    Raises BadRecord where a value is missing, empty or a step to another folder.
    """
    return _filled(template, values, _part)


def json_of(value: Json, name: str, option: int = 0) -> bytes:
    """Returns a value as JSON, by an option of orjson; raises BadRecord, which names it, for what JSON cannot hold."""
    try:
        text = orjson.dumps(value, option=option)
    except TypeError as error:
        raise BadRecord(f"{name} cannot be written as JSON: {error}") from None
    if b"null" in text and (told := _not_finite([(name, value)])):  # orjson writes them so
        raise BadRecord(f"{told}, which JSON cannot hold; have the source or map give another value")
    return text


def _filled(template: str, values: Mapping[str, Json], write: Callable[[str, str], str]) -> str:
    def one(match: re.Match[str]) -> str:
        return write(match[1], _written(match[1], values)) if match[1] else _BRACES[match[0]]

    return _PLACE.sub(one, template)


def _value(values: Mapping[str, Json], name: str) -> Json:
    if name not in values:
        raise BadRecord(f"there is no value for {{{name}}}; known are {', '.join(map(str, values)) or 'none'}")
    return values[name]


def _written(name: str, values: Mapping[str, Json]) -> str:
    value = _value(values, name)
    if value is None:
        return ""
    return value if isinstance(value, str) else json_of(value, f"{{{name}}}").decode()


def _part(name: str, text: str) -> str:
    if text in ("", ".", ".."):
        raise BadRecord(f"{{{name}}} is {repr(text) if text else 'empty'}, which cannot be part of a path")
    return quote(text, safe="")


def _not_finite(parts: Iterable[tuple[str, Json]]) -> str:
    """Returns which number among named values is not finite, by the key nearest to it; empty where all are."""
    for name, part in parts:
        kind = type(part)
        if kind is float:
            if not isfinite(part):
                return f"{name} is {part}"
        elif kind in _HOLDING and part:
            told = _not_finite(part.items() if kind is dict else zip(repeat(name), part))
            if told:
                return told
    return ""
