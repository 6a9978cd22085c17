"""What profiles know by name: likenesses, families and their names, destinations, bases, types."""

from typing import Any

import pytest
from pydantic import Field

from jobs import registry
from jobs.contract import Context, Job
from jobs.options import Options
from tests.config.loading import Load, Problems
from worker.config.load import Configuration

_TOP = """\
[vault]
keys = { file = "worker.keys" }
[accounts.desk]
profile = "desk"
base_url = "https://desk.example.com"
token_url = "{base_url}/token"
client_id = "me"
client_secret = { env = "S" }
"""
_DESK = """\
[profiles.desk.resources.table]
path = "/t/{name}"
records = "rows"
key = ["id"]
params = { view = "{name}", deep = "1" }
paging = { kind = "offset", size = 10 }
[profiles.desk.resources.list]
like = "table"
params = { deep = "2" }
[profiles.desk.resources.agents]
like = "table/agents"
description = "who helps"
[profiles.desk.resources.seniors]
like = "agents"
paging = { kind = "link" }
[profiles.desk.resources.archive]
like = "table/old_{name}"
"""


class _ReadingOptions(Options):
    source: dict[str, Any]
    destination: dict[str, Any]
    map: dict[str, Any] | None = None
    types: dict[str, str] = Field(default_factory=dict)


class _Reading(Job[_ReadingOptions]):
    """A type of job that takes whatever stands at its source and destination."""

    options_model = _ReadingOptions

    def run(self, context: Context) -> None:
        raise NotImplementedError


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """Knows the type of job `reading`."""
    monkeypatch.setitem(registry._BUILT_IN, "reading", _Reading)


def _job(source: str, rest: str = "", table: str = 'table = "t"') -> str:
    return f'[jobs.j]\ntype = "sync"\nsource = {{ account = "desk", {source} }}\ndestination = {{ {table} }}\n{rest}'


def _dumped(configuration: Configuration) -> dict[str, Any]:
    return configuration.jobs["j"].options.model_dump(by_alias=True)


@pytest.mark.parametrize(
    ("resource", "path", "view", "deep", "paging"),
    [
        ("table/x", "/t/x", "x", "1", "offset"),
        ("list/x", "/t/x", "x", "2", "offset"),
        ("agents", "/t/agents", "agents", "1", "offset"),
        ("seniors", "/t/agents", "agents", "1", "link"),
        ("archive/x", "/t/old_x", "old_x", "1", "offset"),
        ("table/OWNER/REPO.git", "/t/OWNER/REPO.git", "OWNER/REPO.git", "1", "offset"),
        ("table/a%23b@example.com", "/t/a%23b@example.com", "a%23b@example.com", "1", "offset"),
    ],
)
def test_likenesses_and_families(loaded: Load, resource: str, path: str, view: str, deep: str, paging: str) -> None:
    """Own keys win over those of what a resource is like, tables are joined, {name} is filled in everywhere."""
    source = _dumped(loaded(_TOP + _DESK + _job(f'resource = "{resource}"')))["source"]
    assert (source["path"], source["records"]) == (path, "rows")
    assert source["params"] == {"view": view, "deep": deep}
    assert source["paging"]["kind"] == paging


_STEPS = ["..", ".", "../x", "a/../b", "a//b", "/a", "a/", "%2e%2e/x", "%2E%2E", "a%2fb", "%5c", "a\\\\b"]
_SIGNS = ["a?b=c", "a#b", "a b", "a^b", "a&b", "{since}", "ä", "%00", "%ff", "%zz"]


@pytest.mark.parametrize("name", [*_STEPS, *_SIGNS])
def test_no_name_leads_out_of_its_path(problems: Problems, name: str) -> None:
    """What would be another folder, a query or a fragment is refused, written plainly or with percent signs."""
    [problem] = problems(_TOP + _DESK + _job(f'resource = "table/{name}"'))
    assert problem.key == "jobs.j.source.resource"
    assert "cannot stand in a path" in problem.message


def test_the_key_of_a_resource_becomes_the_tables(loaded: Load) -> None:
    """It may be said anew at the source or at the destination."""
    assert _dumped(loaded(_TOP + _DESK + _job('resource = "agents"')))["destination"]["key"] == ("id",)
    own = loaded(_TOP + _DESK + _job('resource = "agents", key = "mail"'))
    assert _dumped(own)["destination"]["key"] == ("mail",)


@pytest.mark.usefixtures("reading")
@pytest.mark.parametrize(
    ("columns", "key"),
    [
        ('id = "id", a = "id"', ["id"]),
        ('a = "id", b = "name"', ["a"]),
        ('a = { from = "id", lookup = { x = "y" } }, b = { from = "id", type = "text" }', ["b"]),
        ('id = { type = "integer" }', ["id"]),
    ],
)
def test_the_key_of_a_resource_is_found_in_the_map(loaded: Load, columns: str, key: list[str]) -> None:
    """A column that is the key under another name is the key, of a table as of an API."""
    text = _TOP + _DESK + '[profiles.desk.destinations.in]\npath = "/in"\n'
    for end in ('table = "t"', 'account = "desk", resource = "in"'):
        job = _job('resource = "agents"', f"map = {{ {columns} }}\n", end).replace('"sync"', '"reading"')
        assert _dumped(loaded(text + job))["destination"]["key"] == key


def test_a_key_that_is_not_in_the_map_is_missed(problems: Problems) -> None:
    """A table's missing column is named; an API's key has to be said."""
    text = _TOP + _DESK + '[profiles.desk.destinations.in]\npath = "/in"\n'
    for end, message in (
        ('table = "t"', "column id is missing"),
        ('account = "desk", resource = "in"', "key is missing"),
    ):
        [problem] = problems(text + _job('resource = "agents"', 'map = { a = "name" }\n', end))
        assert message in problem.message


def test_keys_that_only_resources_have_are_no_keys_of_sources(problems: Problems) -> None:
    """Without a resource, `key` and `types` at a source are as unknown as any."""
    found = problems(
        _TOP + _DESK + _job('path = "/t", key = ["id"], description = "x"', table='table = "t", key = "id"')
    )
    assert {problem.key for problem in found} == {"jobs.j.source.key", "jobs.j.source.description"}


@pytest.mark.parametrize(
    ("part", "key", "message"),
    [
        ('[profiles.desk.resources.x]\nlike = "tabel/y"', "resources.x.like", 'did you mean "table"?'),
        ("[profiles.desk.resources.x]\nlike = 3", "resources.x.like", "like is 3"),
        ('[profiles.desk.resources.x]\nlike = "x"', "resources.x.like", "leads back to x"),
        ('[profiles.desk.resources.x]\nlike = "table/../y"', "resources.x.like", "cannot stand in a path"),
        ("[profiles.desk.resources]\nx = 3", "resources.x", "expected a table [profiles.desk.resources.x]"),
        ("[profiles.desk]\ndestinations = 3", "destinations", "expected a table [profiles.desk.destinations]"),
        ('[profiles.desk]\nbase = "desk"', "base", "leads from desk back to desk"),
        ('[profiles.desk]\nbase = "servicenov"', "base", 'did you mean "servicenow"?'),
        ("[profiles.desk]\nbase = 3", "base", "expected the name of a profile"),
        ('[profiles.desk]\nbas = "servicenow"', "bas", 'did you mean "base"?'),
        (
            '[profiles.desk]\nbase = "b"\n[profiles.b]\nbase = "c"\n[profiles.c]\nbase = "b"',
            "profiles.c.base",
            "leads from c back to b",
        ),
    ],
)
def test_a_profile_is_checked_though_no_job_uses_it(problems: Problems, part: str, key: str, message: str) -> None:
    """A likeness or a base that leads nowhere, or round in a circle, is told at its line."""
    top = _TOP.replace('profile = "desk"\n', "")
    like = "" if "desk.resources]" in part else '[profiles.desk.resources.table]\npath = "/t/{name}"\n'
    [problem] = problems(f"{top}{part}\n{like}")
    assert problem.key.endswith(key)
    assert message in problem.message


def test_a_profile_rests_on_its_base(loaded: Load) -> None:
    """It has the base's account and resources, its own keys win, and its likenesses find the base's entries."""
    text = _TOP.replace('token_url = "{base_url}/token"\n', "") + (
        '[profiles.desk]\nbase = "mine"\n'
        '[profiles.desk.resources.assets]\nlike = "table/u_asset"\n'
        '[profiles.mine]\nbase = "servicenow"\n'
        '[profiles.mine.account]\ntoken_lifetime = "1h"\n'
        '[profiles.mine.resources.incident]\nparams = { sysparm_view = "mobile" }\n'
    )
    configuration = loaded(text + _job('resource = "assets"'))
    account = configuration.accounts["desk"]
    assert (account.token_endpoint, account.token_lifetime) == ("https://desk.example.com/oauth_token.do", 3600.0)
    assert _dumped(configuration)["source"]["path"] == "/api/now/table/u_asset"
    source = _dumped(loaded(text + _job('resource = "incident"')))["source"]
    assert source["path"] == "/api/now/table/incident"
    assert source["params"]["sysparm_view"] == "mobile"
    assert source["records"] == "result"


def test_a_fault_from_a_base_is_told_where_it_stands(problems: Problems) -> None:
    """The value of a base that a model refuses is blamed on the base's line, not on the job."""
    text = _TOP + '[profiles.desk]\nbase = "mine"\n[profiles.mine.resources.all]\npath = 3\n'
    [problem] = problems(text + _job('resource = "all"', table='table = "t", key = "id"'))
    assert (problem.line, problem.key) == (12, "profiles.mine.resources.all.path")


@pytest.mark.usefixtures("reading")
@pytest.mark.parametrize(
    ("rest", "table", "types"),
    [
        ("", 'table = "t"', {"id": "integer", "at": "timestamp"}),
        ('types = { at = "text" }\n', 'table = "t"', {"id": "integer", "at": "text"}),
        ('map = { id = "id" }\n', 'table = "t"', {}),
        ("", 'account = "desk"', {}),
    ],
)
def test_types_of_a_resource(loaded: Load, rest: str, table: str, types: dict[str, str]) -> None:
    """They stand beneath the job's own types where all fields become columns of a table."""
    text = _TOP + _DESK + '[profiles.desk.resources.agents.types]\nid = "integer"\nat = "timestamp"\n'
    job = _job('resource = "agents"', rest, table).replace('"sync"', '"reading"')
    dumped = _dumped(loaded(text + job))
    assert dumped["types"] == types
    assert dumped["source"].keys() == {"account", "path", "records", "params", "paging"}


@pytest.mark.usefixtures("reading")
def test_parts_of_a_source_name_resources_of_its_account(loaded: Load) -> None:
    """Deletions and parents are resources too; what only a destination wants of them is left away."""
    text = (
        _TOP + _DESK + '[profiles.desk.resources.gone]\npath = "/gone"\nkey = { id = "was" }\ntypes = { at = "date" }\n'
    )
    parts = 'deletions = { resource = "gone" }, for_each = { resource = "seniors" }'
    source = _dumped(loaded(text + _job(f'path = "/t", {parts}').replace('"sync"', '"reading"')))["source"]
    assert source["deletions"] == {"path": "/gone", "key": {"id": "was"}}
    assert source["for_each"].keys() == {"path", "records", "params", "paging"}


@pytest.mark.usefixtures("reading")
def test_a_part_of_a_source_that_names_nothing(problems: Problems) -> None:
    """It is blamed where it stands."""
    [problem] = problems(
        _TOP + _DESK + _job('path = "/t", deletions = { resource = "agent" }').replace("sync", "reading")
    )
    assert problem.key == "jobs.j.source.deletions.resource"
    assert 'did you mean "agents"?' in problem.message


@pytest.mark.parametrize(
    ("source", "destination", "deletes"),
    [
        ('path = "/t"', 'resource = "agent"', None),
        ('path = "/t", deletions = { path = "/d", key = { id = "id" } }', 'resource = "agent"', "/a/{id}"),
        ('path = "/t"', 'resource = "agent", delete = { path = "/b" }', "problem"),
    ],
)
def test_a_profiles_deletions_are_for_sources_that_tell_what_is_gone(
    loaded: Load, problems: Problems, source: str, destination: str, deletes: str | None
) -> None:
    """A job that asks for them itself is told that there are none to come."""
    text = _TOP + _DESK + '[profiles.desk.destinations.agent]\npath = "/a"\ndelete = { path = "/a/{id}" }\n'
    text += _job(source, table=f'account = "desk", key = "id", {destination}')
    if deletes == "problem":
        [problem] = problems(text)
        assert "destination.delete: the source does not tell what is gone" in problem.message
    else:
        found = _dumped(loaded(text))["destination"]["delete"]
        assert (found and found["path"]) == deletes


@pytest.mark.parametrize(
    ("destination", "key", "message"),
    [
        (
            'account = "desk", resource = "agents"',
            "destination.resource",
            "knows no destination 'agents'; did you mean",
        ),
        ('resource = "agent"', "destination.resource", "add account"),
        ('account = "desk", resource = "in/../x"', "destination.resource", "cannot stand in a path"),
        ('account = "plain", resource = "agent"', "destination.resource", "write path instead"),
    ],
)
def test_a_destination_that_does_not_exist(problems: Problems, destination: str, key: str, message: str) -> None:
    """One clear problem, at the destination."""
    text = _TOP + _TOP[_TOP.index("[accounts") :].replace("desk]", "plain]").replace('profile = "desk"\n', "")
    text += '[profiles.desk.destinations.agent]\npath = "/a"\n[profiles.desk.destinations.in]\npath = "/in/{name}"\n'
    [problem] = problems(text + _job('path = "/t"', table=destination))
    assert problem.key == f"jobs.j.{key}"
    assert message in problem.message
