"""`act_for`, at an account and at a job's source: every name has a header."""

import pytest

from tests.config.loading import Load, Problems

_VAULT = '[vault]\nkeys = { file = "worker.keys" }\n'
_ACCOUNT = """
[accounts.tangoe]
profile = "tangoe"
base_url = "https://api.example.com/mobproc/v1"
tenant = "XYZ"
client_id = "me"
client_secret = { env = "S" }
accept_password_grant = true
username = "command://svc"
password = { env = "P" }
"""
_JOB = """
[jobs.devices]
type = "sync"
source = { account = "tangoe", resource = "devices", act_for = { %s = "7" } }
destination = { table = "d" }
"""


def test_names_of_the_profile_are_known(loaded: Load) -> None:
    """Tangoe's three headers, at the account and at the source."""
    text = _ACCOUNT + 'act_for = { company_employee_id = "jane@example.com" }\n' + _JOB % "hierarchy_id"
    options = loaded(_VAULT + text).accounts["tangoe"]
    assert options.act_for_headers["company_employee_id"] == "X-TNGO-CONTEXT-COMPANYEMPLOYEEID"
    assert options.act_for == {"company_employee_id": "jane@example.com"}


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        ('act_for = { employe_id = "7" }\n', "accounts.tangoe.act_for.employe_id", 'did you mean "employee_id"?'),
        (_JOB % "employe_id", "jobs.devices.source.act_for.employe_id", 'did you mean "employee_id"?'),
        (
            _JOB % "employee_id"
            + "[[jobs.devices.steps_before]]\n"
            + 'request = { account = "tangoe", path = "/x", act_for = { employe_id = "7" } }\n',
            "jobs.devices.steps_before[0].request.act_for.employe_id",
            'did you mean "employee_id"?',
        ),
        (_JOB % "zzz", "jobs.devices.source.act_for.zzz", "known: company_employee_id, employee_id, hierarchy_id"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest(problems: Problems, text: str, key: str, message: str) -> None:
    """One that no header is known for would silently not be sent."""
    (problem,) = problems(_VAULT + _ACCOUNT + text)
    assert problem.key == key
    assert message in problem.message


def test_account_without_headers_says_so(problems: Problems) -> None:
    """An API that knows of no such thing."""
    text = (
        '[accounts.erp]\nbase_url = "https://e.example.com"\ngrant = "api_key"\napi_key = { env = "K" }\n'
        'act_for = { who = "7" }\n'
    )
    (problem,) = problems(_VAULT + text)
    assert "the account names no act_for_headers" in problem.message
