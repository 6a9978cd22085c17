"""One table of the draft checked against its models: every problem noted, with the key that a person typed."""

import re
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from worker.config.draft import Draft
from worker.config.lines import KeyPath, Toml, dotted
from worker.config.nearest import hint
from worker.config.sentences import QUOTED, expected, found, sentence
from worker.config.shape import NONE, Kinds, Spot, parts, walk
from worker.model.secretref import SecretRef

ModelT = TypeVar("ModelT", bound=BaseModel)
_SECRET = frozenset({SecretRef})
_STRICT = {int: "a whole number", float: "a number", bool: "true or false"}


def inspect(draft: Draft, path: KeyPath, kinds: Kinds, above: Mapping[KeyPath, Kinds]) -> list[Spot]:
    """Notes what can be said without a validator: unknown keys, secrets written out, text where a number belongs.

    A single value where only lists are meant is put into a list. `above` holds the kinds of the tables around. Returns
    every place that was looked at.
    """
    around = dict(above)
    spots: list[Spot] = []
    for spot in walk(draft.at(path), kinds, path):
        place, value, allowed = spot
        spots.append(spot)
        around[place] = allowed
        _list_singles(draft, place, value, allowed)
        if isinstance(value, dict) and allowed.is_closed:
            for key in value:
                if key not in allowed.known_keys:
                    draft.blame((*place, key), _unknown(key, place, around))
        elif allowed.bases == _SECRET and not isinstance(value, dict):
            draft.blame(place, _no_reference(str(place[-1])))
        elif isinstance(value, str | bool):
            _judge_scalar(draft, place, value, allowed)
    return spots


def _judge_scalar(draft: Draft, place: KeyPath, value: str | bool, allowed: Kinds) -> None:  # noqa: FBT001  a value
    """Notes text, and a truth, where a number belongs: pydantic would read either as one."""
    strict = allowed.bases <= _STRICT.keys() and not any(kind.parsed for kind in allowed)
    if strict and (isinstance(value, str) or bool not in allowed.bases):
        wanted = " or ".join(_STRICT[kind.base] for kind in allowed)
        quoted = " without quotes" if isinstance(value, str) and draft.place(place).file else ""
        draft.blame(place, f"expected {wanted}{quoted}, found {found(value, place)}")


def _list_singles(draft: Draft, path: KeyPath, value: Toml, kinds: Kinds) -> None:
    """Puts what stands alone in a table or a list, where only a list can be meant, into one."""
    for key, part in [*parts(value)]:
        if kinds.child(key).is_list and not isinstance(part, list):
            value[key] = [part]
            if isinstance(part, dict):
                draft.move((*path, key), (*path, key, 0))


def _unknown(key: str, table: KeyPath, around: Mapping[KeyPath, Kinds]) -> str:
    """Returns the remedy for an unknown key: move it where it slid from, or write it like the nearest known one."""
    for length in range(len(table) - 1, -1, -1):
        if key in around.get(table[:length], NONE).known_keys:
            home = f"[{dotted(table[:length])}]" if length else "the top of the file"
            return f'unknown key "{key}"; it belongs to {home}: write it above the line that begins {dotted(table)}'
    return f'unknown key "{key}"; {hint(key, around[table].known_keys)}'


def _no_reference(key: str) -> str:
    return (
        "expected a reference to where the secret lies, found something else; a secret never stands in the file: "
        f'write {key} = {{ file = "secrets/{key}" }}, {{ env = "NAME" }} or {{ credential = "{key}" }}'
    )


def validate(draft: Draft, path: KeyPath, model: type[ModelT], keys: Collection[str] | None = None) -> ModelT | None:
    """Returns the table at `path` as a model, of which only `keys` are given where they are named; None if refused."""
    table = draft.at(path)
    given = {key: table[key] for key in table if key in keys} if keys is not None else table
    try:
        return model.model_validate(given)
    except ValidationError as errors:
        by_path: dict[KeyPath, list[ErrorDetails]] = {}
        for error, loc in _flat(errors, ()):
            by_path.setdefault(_typed(draft, path, loc), []).append(error)
        for place in [place for place in by_path if _is_news(draft, place, path)]:
            _note(draft, place, by_path[place])
    return None


def _is_news(draft: Draft, place: KeyPath, table: KeyPath) -> bool:
    """Tells whether what a model refuses at `place` does not just follow from a problem noted before."""
    if place == table:
        return table not in draft.unfinished
    value = draft.at(place)
    inside = [(*place, key) for key in value] if isinstance(value, dict) else []
    return not any(path in draft.places and draft.blamed(path) for path in (place, *inside))


def _flat(errors: ValidationError, before: KeyPath) -> Iterator[tuple[ErrorDetails, KeyPath]]:
    """Yields each error with its location; those of a model that a validator called stand inside one error."""
    for error in errors.errors(include_url=False):
        loc = (*before, *error["loc"])
        cause = (error.get("ctx") or {}).get("error")
        if isinstance(cause, ValidationError):
            yield from _flat(cause, loc)
        else:
            yield error, loc


def _note(draft: Draft, path: KeyPath, errors: list[ErrorDetails]) -> None:
    """Notes the errors of one place; what several members of a union expected becomes one sentence."""
    wanted = dict.fromkeys(text for text in map(expected, errors) if text)
    if len(wanted) > 1:
        draft.blame(path, f"expected {' or '.join(wanted)}, found {found(draft.at(path), path)}")
    for error in errors:
        if error["type"] == "missing":
            _note_missing(draft, path, str(error["loc"][-1]))
        elif error["type"].startswith("union_tag"):
            _note_tag(draft, path, error)
        elif error["type"] == "extra_forbidden":
            draft.blame(path, f'"{path[-1]}" does not go together with the other keys of {dotted(path[:-1])}')
        elif len(wanted) < 2 or not expected(error):  # noqa: PLR2004  two of a union
            draft.blame(path, sentence(error, draft.at(path), path))


def _typed(draft: Draft, table: KeyPath, loc: KeyPath) -> KeyPath:
    """Returns the path of what a person typed: pydantic's location without the tags of unions."""
    path = table
    for part in loc:
        if draft.at((*path, part)) is not None:
            path = (*path, part)
    return path


def _note_missing(draft: Draft, table: KeyPath, name: str) -> None:
    misspelt = [key for key in draft.at(table) or () if draft.blamed((*table, key))]
    if not get_close_matches(name, misspelt, n=1):
        draft.blame(table, f"{name} is missing")


def _note_tag(draft: Draft, table: KeyPath, error: ErrorDetails) -> None:
    """Notes a table whose kind is not told, or is none that is known."""
    context: Mapping[str, Any] = error.get("ctx") or {}
    key = str(context.get("discriminator", "kind")).strip("'")
    if key not in draft.at(table):
        draft.blame(table, f"{key} is missing")
        return
    value, known = draft.at((*table, key)), str(context.get("expected_tags", ""))
    near = f"; {hint(value, re.findall(QUOTED, known))}" if isinstance(value, str) else ""
    draft.blame((*table, key), f"expected one of {known}, found {found(value, (*table, key))}{near}")
