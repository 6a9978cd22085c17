"""Whatever stands at a key, loading gives a configuration or problems: no other error, and no secret's value."""

import json
import tomllib
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from worker.config.lines import KeyPath, Toml
from worker.config.load import load
from worker.model.errors import ConfigurationError, Problem

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"
_CANARY = "canary-7f3a"
_SECRET = {"client_secret", "password", "keys"}
_TREE = tomllib.loads(EXAMPLE.read_text())
_ODD: st.SearchStrategy[Any] = st.sampled_from(
    [
        _CANARY,
        "",
        -1,
        0,
        10**30,
        1.5,
        float("nan"),
        True,
        [],
        [[]],
        [1, "x"],
        {},
        {"kind": 3},
        {"env": 1},
        {"odd": _CANARY},
    ]
)


def _paths(value: Toml, path: KeyPath) -> list[KeyPath]:
    parts: Toml = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, part in parts for found in _paths(part, (*path, key)))]


_PLACES = st.sampled_from(_paths(_TREE, ())[1:])


def _written(value: Toml) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{key}" = {_written(part)}' for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_written, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value) if isinstance(value, str) else str(value)  # its escapes are TOML's too


def _problems(file: Path) -> list[Problem]:
    try:
        load(file, {})
    except ConfigurationError as error:
        return error.problems
    return []


@given(st.lists(st.tuples(_PLACES, _ODD), min_size=1, max_size=3))
@settings(max_examples=examples(150), deadline=None)
def test_any_value_anywhere_gives_problems(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[KeyPath, Any]]
) -> None:
    """The example with odd values put in loads, or is refused with problems that have a line."""
    tree = deepcopy(_TREE)
    for path, value in changes:
        inner: Any = tree
        try:
            for part in path[:-1]:
                inner = inner[part]
            inner[path[-1]] = deepcopy(value)
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took the table away
    file = tmp_path_factory.getbasetemp() / "fuzz.toml"
    file.write_text("".join(f"{key} = {_written(value)}\n" for key, value in tree.items()))
    tomllib.loads(file.read_text())  # else this test would be about syntax
    problems = _problems(file)
    assert all(problem.line for problem in problems)
    if len(changes) == 1 and _SECRET.intersection(changes[0][0]):
        assert not any(_CANARY in str(problem) for problem in problems)
