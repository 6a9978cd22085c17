"""Profiles: what a known API gives an account and a job, and what of it they may say otherwise."""

import pytest
from pydantic import BaseModel

from tests.config.loading import Load, Problems, Write
from worker.config.load import load
from worker.config.profiles import built_in

_TANGOE = """\
[vault]
keys = { file = "worker.keys" }
[accounts.tangoe]
profile = "tangoe"
base_url = "https://api.example.com/mobproc/v1"
tenant = "XYZ"
client_id = "me"
client_secret = { env = "S" }
accept_password_grant = true
username = "command://svc"
password = { env = "P" }
[accounts.now]
profile = "servicenow"
base_url = "https://example.service-now.com"
client_id = "me"
client_secret = { env = "S" }
"""


def _job(source: str, name: str = "j") -> str:
    return f'[jobs.{name}]\ntype = "sync"\nsource = {{ {source} }}\ndestination = {{ table = "t" }}\n'


def _source(options: BaseModel) -> dict[str, object]:
    dumped: dict[str, object] = options.model_dump(by_alias=True)["source"]
    return dumped


def test_tangoe_gives_an_account_what_its_api_needs(loaded: Load) -> None:
    """Headers, token endpoint, scope and rejections come from the profile; own keys stay."""
    account = loaded(_TANGOE).accounts["tangoe"]
    assert account.token_endpoint == "https://oauth.tangoe.com/as/token.oauth2"
    assert (account.scope, account.grant, account.token_params) == ("MOBPROC", "password", "body")
    assert account.reject_statuses == (401, 403)
    assert account.headers == {"X-TNGO-TENANT": "{tenant}", "client_id": "{client_id}"}
    assert account.correlation.run == "X-TNGO-CONTEXT-ACTIVITYID"
    assert account.username == "command://svc"


def test_own_keys_win_and_headers_are_joined(loaded: Load) -> None:
    """An account may say anything otherwise; a header of its own stands beside the profile's."""
    text = _TANGOE.replace(
        'tenant = "XYZ"', 'tenant = "XYZ"\nscope = "OTHER"\nheaders = { X-Own = "1", client_id = "fixed" }'
    )
    account = loaded(text).accounts["tangoe"]
    assert account.scope == "OTHER"
    assert account.headers == {"X-TNGO-TENANT": "{tenant}", "client_id": "fixed", "X-Own": "1"}


@pytest.mark.parametrize(
    ("resource", "path", "param"),
    [
        ("devices", "/assets/devices", "dateTimeUpdated"),
        ("services", "/assets/services", "dateTimeUpdated"),
        ("orders", "/orders", "dateTimeUpdated"),
        ("employees", "/employees", "dateTimeUpdatedOnOrAfter"),
    ],
)
def test_tangoe_knows_its_resources(loaded: Load, resource: str, path: str, param: str) -> None:
    """A job that names a resource has path, records, snapped paging, cursor and key."""
    job = loaded(_TANGOE + _job(f'account = "tangoe", resource = "{resource}"')).jobs["j"]
    source = job.options.model_dump(by_alias=True)
    assert source["source"]["path"] == path
    assert source["source"]["records"] == resource
    assert source["source"]["paging"]["snaps"] is True
    assert source["source"]["paging"]["total"] == "_meta.totalCount"
    assert source["source"]["cursor"]["param"] == param
    assert source["destination"]["key"] == ("id",)


def test_servicenow_takes_any_table(loaded: Load) -> None:
    """The name behind the slash goes into the path; two tables do not meet."""
    jobs = loaded(
        _TANGOE
        + _job('account = "now", resource = "table/incident"')
        + _job('account = "now", resource = "table/cmdb_ci", params = { sysparm_view = "x" }', "k")
    ).jobs
    incident, items = _source(jobs["j"].options), _source(jobs["k"].options)
    assert (incident["path"], items["path"]) == ("/api/now/table/incident", "/api/now/table/cmdb_ci")
    assert incident["params"] == {"sysparm_exclude_reference_link": "true"}
    assert items["params"] == {"sysparm_exclude_reference_link": "true", "sysparm_view": "x"}
    for source in (incident, items):
        assert isinstance(source["paging"], dict)
        assert (source["paging"]["kind"], source["paging"]["size"]) == ("servicenow", 1000)


def test_a_jobs_own_keys_win(loaded: Load) -> None:
    """Paging of the same kind is joined, of another kind replaced; the destination's own key stays."""
    text = _TANGOE + _job('account = "tangoe", resource = "devices", path = "/d", paging = { size = 7 }')
    text += _job(
        'account = "tangoe", resource = "devices", paging = { kind = "link" }, cursor = { lookback = "1h" }', "k"
    )
    jobs = loaded(text.replace('table = "t"', 'table = "t", key = ["imei"]')).jobs
    joined, replaced = _source(jobs["j"].options), _source(jobs["k"].options)
    assert joined["path"] == "/d"
    assert isinstance(joined["paging"], dict)
    assert (joined["paging"]["size"], joined["paging"]["snaps"]) == (7, True)
    assert isinstance(replaced["paging"], dict)
    assert replaced["paging"]["kind"] == "link"
    assert "size" not in replaced["paging"]
    assert isinstance(replaced["cursor"], dict)
    assert (replaced["cursor"]["lookback"], replaced["cursor"]["field"]) == (3600.0, "updated")
    assert jobs["j"].options.model_dump()["destination"]["key"] == ("imei",)


def test_a_cursor_can_be_left_out(loaded: Load) -> None:
    """`cursor = "none"` reads everything in each run."""
    job = loaded(_TANGOE + _job('account = "tangoe", resource = "devices", cursor = "none"')).jobs["j"]
    assert _source(job.options)["cursor"] is None


@pytest.mark.parametrize(
    ("change", "key", "message"),
    [
        (('profile = "tangoe"', 'profile = "tango"'), "accounts.tangoe.profile", 'did you mean "tangoe"?'),
        (
            ('tenant = "XYZ"\n', ""),
            "accounts.tangoe",
            "tenant is missing: the API is sent it as the header X-TNGO-TENANT",
        ),
        (('"devices"', '"device"'), "jobs.j.source.resource", 'did you mean "devices"?'),
        (('"devices"', '"table/incident"'), "jobs.j.source.resource", "knows no resource"),
        (('"devices"', "3"), "jobs.j.source.resource", "knows no resource"),
        (('account = "tangoe", ', ""), "jobs.j.source.resource", "add account"),
        (('account = "tangoe", ', 'account = "tango", '), "jobs.j.source.account", 'did you mean "tangoe"?'),
        (
            ('account = "tangoe", resource = "devices"', 'account = "now", resource = "table"'),
            "jobs.j.source.resource",
            "table/NAME",
        ),
    ],
)
def test_what_does_not_exist_is_one_problem(
    problems: Problems, change: tuple[str, str], key: str, message: str
) -> None:
    """A wrong name gives one problem with the nearest known one, and no faults that only follow from it."""
    text = _TANGOE + _job('account = "tangoe", resource = "devices"')
    assert change[0] in text
    found = problems(text.replace(*change))
    assert [problem.key for problem in found] == [key]
    assert message in found[0].message


def test_an_account_without_a_profile_knows_no_resources(problems: Problems, good: str) -> None:
    """A resource needs a profile; the way out is told."""
    [problem] = problems(good.replace('path = "/orders"', 'resource = "orders"'))
    assert "write path instead" in problem.message


def test_a_profile_of_ones_own(write: Write, good: str) -> None:
    """[profiles.NAME] in any file serves accounts and jobs; its faults are told where it stands."""
    part = write(
        '[profiles.desk.account]\nscope = "tickets"\nheaders = { X-A = "1" }\n'
        '[profiles.desk.resources.list]\npath = "/api/{name}"\nrecords = "data.{name}"\nkey = "id"\n',
        "desk.toml",
    )
    text = good.replace('client_id = "me"', 'client_id = "me"\nprofile = "desk"').replace(
        'path = "/orders"', 'resource = "list/agents"'
    )
    main = write(f'include = "desk.toml"\n{text}')
    configuration = load(main, {})
    assert configuration.accounts["erp"].scope == "tickets"
    assert _source(configuration.jobs["orders"].options)["records"] == "data.agents"
    assert configuration.where("jobs.orders.source.path") == (part, 5)


def test_a_fault_in_a_profile_is_told_there(problems: Problems, good: str) -> None:
    """A wrong value that an account or a job has from a profile is blamed on the profile."""
    text = good.replace('client_id = "me"', 'client_id = "me"\nprofile = "desk"')
    text = text.replace('path = "/orders"', 'resource = "all"')
    desk = (
        '[profiles.desk]\nacount = {}\n[profiles.desk.account]\nscpe = "x"\n[profiles.desk.resources.all]\npath = 3\n'
    )
    found = problems(text + desk)
    assert [(problem.line, problem.key) for problem in found] == [
        (16, "profiles.desk.acount"),
        (18, "profiles.desk.account.scpe"),
        (20, "profiles.desk.resources.all.path"),
    ]


def test_the_profiles_that_come_with_the_worker() -> None:
    """Both APIs of the product's first users are known, and two with other habits."""
    assert built_in() == ["github", "google_calendar", "servicenow", "tangoe"]


def test_an_account_that_is_no_name_is_told(problems: Problems) -> None:
    """Beside a resource too, which cannot be looked up then: the job must not fall out in silence."""
    [problem] = problems(_TANGOE + _job('account = 5, resource = "devices"'))
    assert problem.key == "jobs.j.source.resource"
    assert "the name of an account" in problem.message
