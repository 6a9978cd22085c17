"""The profiles that come with the worker: each of their entries makes a job, and says what it is."""

from pathlib import Path
from typing import Any

import pytest

from jobs.sinks.restoptions import RestDestinationOptions
from tests.config.loading import Load
from worker.config.bases import built_in
from worker.config.catalogue import Known, catalogue
from worker.model.errors import ConfigurationError

_ACCOUNTS = {
    "github": "",
    "google_calendar": 'private_key = { env = "K" }\nassertion = { issuer = "i", subject = "s" }\n',
    "servicenow": 'base_url = "https://x.service-now.com"\nclient_secret = { env = "S" }\n',
    "tangoe": 'base_url = "https://api.example.com/v1"\ntenant = "T"\nclient_secret = { env = "S" }\n'
    'accept_password_grant = true\nusername = "command://me"\npassword = { env = "P" }\n',
}
_EXAMPLE = {"repos": "octo-org", "events": "jane@example.com", "github": "octocat/Hello-World"}
_KNOWN = catalogue({}, built_in())


def _id(known: Known) -> str:
    return f"{known.profile} {known.kind} {known.resource}"


def _text(known: Known, job: str) -> str:
    vault = '[vault]\nkeys = { file = "worker.keys" }\n'
    account = f'[accounts.a]\nprofile = "{known.profile}"\nclient_id = "me"\n{_ACCOUNTS[known.profile]}'
    return f'{vault}{account}[jobs.j]\ntype = "sync"\n{job}'


def _name(known: Known) -> str:
    family = known.resource.removesuffix("/NAME")
    if family == known.resource:
        return known.resource
    return f"{family}/{_EXAMPLE.get(family) or _EXAMPLE.get(known.profile) or 'u_things'}"


@pytest.mark.parametrize("known", [known for known in _KNOWN if known.kind == "source"], ids=_id)
def test_every_resource_makes_a_job(loaded: Load, known: Known) -> None:
    """Account and resource are enough for a job that fills a table; the table's key comes along."""
    text = _text(known, f'source = {{ account = "a", resource = "{_name(known)}" }}\ndestination = {{ table = "t" }}\n')
    options: dict[str, Any] = loaded(text).jobs["j"].options.model_dump(by_alias=True)
    assert "{name}" not in str(options)
    assert options["source"]["path"].startswith("/")
    assert options["destination"]["key"] == known.key
    assert bool(options["source"]["cursor"]) is bool(known.cursor)


@pytest.mark.parametrize("known", [known for known in _KNOWN if known.kind == "deletions"], ids=_id)
def test_every_deletions_goes_with_a_source(loaded: Load, known: Known) -> None:
    """What tells of deletions is a part of a source; by itself it has no key for a table."""
    text = _text(known, f'source = {{ account = "a", resource = "{_name(known)}" }}\ndestination = {{ table = "t" }}\n')
    with pytest.raises(ConfigurationError, match="key is missing"):
        loaded(text)


@pytest.mark.parametrize("known", [known for known in _KNOWN if known.kind == "destination"], ids=_id)
def test_every_destination_makes_a_job(loaded: Load, known: Known) -> None:
    """Account, name and key are enough for a job that sends rows."""
    end = f'account = "a", resource = "{_name(known)}", key = "id"'
    job = f'source = {{ account = "a", path = "/x" }}\ndestination = {{ {end} }}\n'
    options = loaded(_text(known, job)).jobs["j"].options
    assert "{name}" not in str(options)
    assert isinstance(options.destination, RestDestinationOptions)  # type: ignore[attr-defined]


@pytest.mark.parametrize("known", _KNOWN, ids=_id)
def test_every_entry_says_what_it_is(known: Known) -> None:
    """Within 100 characters, for the list."""
    assert known.description
    assert len(known.description) <= 100


def test_profiles_hold_no_code() -> None:
    """Apart from the package's marker there is nothing but TOML, and what each says it cites."""
    folder = Path(__file__).parents[2] / "worker" / "profiles"
    assert {file.suffix for file in folder.iterdir() if file.is_file() and file.name != "__init__.py"} == {".toml"}
    assert not (folder / "__init__.py").read_text().strip().replace('"', "").startswith("import")
    for file in folder.glob("*.toml"):
        assert file.read_text().splitlines()[0].count("https://") == 1
