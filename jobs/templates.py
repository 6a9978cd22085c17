"""Templates: `{name}` in texts, paths and JSON documents, filled with values; pure.

A text that is nothing but one place keeps its value's type; inside a text a value is written as JSON writes it, text as
it is. Two braces stand for one: `{{`.
"""

import re
from collections.abc import Callable, Mapping
from urllib.parse import quote

import orjson

from jobs.contract import BadRecord, Json

_PLACE = re.compile(r"\{\{|\}\}|\{([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\}")
_BRACES = {"{{": "{", "}}": "}"}


def places(template: Json) -> set[str]:
    """Returns the names of a template's places."""
    if isinstance(template, Mapping):
        return set().union(*map(places, template.values()))
    if isinstance(template, list | tuple):
        return set().union(*map(places, template))
    if not isinstance(template, str) or "{" not in template:
        return set()
    return {match[1] for match in _PLACE.finditer(template) if match[1]}


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


def _filled(template: str, values: Mapping[str, Json], write: Callable[[str, str], str]) -> str:
    def one(match: re.Match[str]) -> str:
        return write(match[1], _written(_value(values, match[1]))) if match[1] else _BRACES[match[0]]

    return _PLACE.sub(one, template)


def _value(values: Mapping[str, Json], name: str) -> Json:
    if name not in values:
        raise BadRecord(f"there is no value for {{{name}}}; known are {', '.join(map(str, values)) or 'none'}")
    return values[name]


def _written(value: Json) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _part(name: str, text: str) -> str:
    if text in ("", ".", ".."):
        raise BadRecord(f"{{{name}}} is {repr(text) if text else 'empty'}, which cannot be part of a path")
    return quote(text, safe="")
