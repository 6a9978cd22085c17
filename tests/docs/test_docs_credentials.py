"""The page about credentials against the code: every setting, grant, health, reference and verb."""

import re
from pathlib import Path
from typing import get_args

import pytest

from worker.cli.app import load
from worker.model.account import AccountOptions
from worker.model.records import Health
from worker.model.secretref import SecretRef

PAGE = (Path(__file__).parents[2] / "docs" / "credentials.md").read_text()


def _section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def _first_cells(section: str) -> set[str]:
    """Returns what stands in backticks in the first column of a section's table."""
    rows = re.findall(r"^\| (.*?) \|", _section(section), re.MULTILINE)
    return {name for cell in rows for name in re.findall(r"`(\w+)`", cell)}


def test_every_setting_of_an_account_stands_in_the_table() -> None:
    """Under the name that a person types, and no setting that there is not."""
    settings = {field.alias or name for name, field in AccountOptions.model_fields.items()}

    assert _first_cells("Settings of an account") == settings


def test_every_grant_stands_in_the_table_of_grants() -> None:
    """Each in the column of grants, once."""
    rows = [line.split(" | ") for line in _section("Choosing a grant").splitlines() if line.startswith("| ")]
    named = [cell[1].strip("`") for cell in rows if cell[1].startswith("`") and cell[1] != "`grant`"]

    assert sorted(named) == sorted(get_args(AccountOptions.model_fields["grant"].annotation))


def test_every_health_stands_in_the_table_of_health() -> None:
    """With what it means and how to leave it."""
    assert _first_cells("Health, and how to leave it") == {health.value for health in Health}


def test_every_kind_of_reference_stands_in_the_table_of_secrets() -> None:
    """All five places."""
    named = re.findall(r"^\| `\{ (\w+) = ", _section("Where secrets lie"), re.MULTILINE)

    assert sorted(named) == sorted(SecretRef.model_fields)


@pytest.mark.parametrize("said", sorted(set(re.findall(r"`worker ([a-z]+(?: [a-z]+)?)", PAGE))))
def test_every_verb_that_is_named_exists(said: str) -> None:
    """With its second word, where the first is a group."""
    first, _, second = said.partition(" ")
    command = load(first)

    assert not second or second in getattr(command, "commands", {})


@pytest.mark.parametrize("said", re.findall(r"`worker ([^`]*--[^`]*)`", PAGE))
def test_every_option_that_is_named_exists(said: str) -> None:
    """Of the verb beside it."""
    words = said.split()
    command = load(words[0])
    for word in words[1:]:
        command = getattr(command, "commands", {}).get(word, command)
    options = {option for parameter in command.params for option in parameter.opts}

    assert set(re.findall(r"--[\w-]+", said)) <= options
