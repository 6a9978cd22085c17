"""The verb `resources`: what the profile of an account knows."""

from pathlib import Path

import pytest

from tests.cli.conftest import Verb


def test_an_accounts_resources(worker: Verb, folder: Path) -> None:
    """One line each, with what a job would otherwise have to say."""
    assert folder.exists()
    said = worker("resources", "tangoe")
    assert said.code == 0
    title, *lines = said.out.splitlines()
    assert title.split() == ["resource", "kind", "path", "paging", "key", "cursor", "description"]
    [devices] = [line for line in lines if line.startswith("devices ")]
    assert devices.split()[:6] == ["devices", "source", "/assets/devices", "offset", "id", "updated"]


def test_resources_as_json(worker: Verb, folder: Path) -> None:
    """Every field of each entry; a family is told by its NAME."""
    assert folder.exists()
    known = {(row["kind"], row["resource"]): row for row in worker("resources", "--json").json}
    assert known["source", "table/NAME"] == {
        "profile": "servicenow",
        "resource": "table/NAME",
        "kind": "source",
        "path": "/api/now/table/NAME",
        "paging": known["source", "incident"]["paging"],
        "key": ["sys_id"],
        "cursor": "sys_updated_on",
        "description": "any table",
    }
    assert known["destination", "import_set/NAME"]["path"] == "/api/now/import/NAME"
    assert known["source", "issues/NAME"]["paging"] == "link"


def test_resources_of_a_profile_of_ones_own(worker: Verb, folder: Path) -> None:
    """What it takes from its base is in the list, under its own name."""
    config = folder / "config.toml"
    own = '[profiles.mine]\nbase = "tangoe"\n[profiles.mine.resources.spares]\nlike = "devices"\npath = "/spares"\n'
    config.write_text(config.read_text().replace('profile = "tangoe"', 'profile = "mine"') + own)
    rows = worker("resources", "tangoe", "--json").json
    assert {row["profile"] for row in rows} == {"mine"}
    paths = {row["resource"]: row["path"] for row in rows}
    assert (paths["devices"], paths["spares"]) == ("/assets/devices", "/spares")
    assert {"mine", "tangoe", "github"} <= {row["profile"] for row in worker("resources", "--json").json}


def test_resources_before_there_is_a_configuration(
    worker: Verb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The profiles that come with the worker are listed; a configuration that was named must be there."""
    monkeypatch.chdir(tmp_path)
    assert "import_set/NAME" in worker("resources").out
    assert worker("resources", "--config", "other.toml").code == 78


def test_resources_of_no_account(worker: Verb, folder: Path) -> None:
    """A misspelt account gives the nearest, one without a profile the way out."""
    said = worker("resources", "tango")
    assert (said.code, said.out) == (2, "")
    assert 'did you mean "tangoe"?' in " ".join(said.err.replace("│", " ").split())
    config = folder / "config.toml"
    plain = '[accounts.plain]\nbase_url = "https://plain.example.com"\ngrant = "api_key"\napi_key = { env = "K" }\n'
    config.write_text(config.read_text() + plain)
    said = worker("resources", "plain")
    assert said.code == 1
    assert "has no profile" in said.err
