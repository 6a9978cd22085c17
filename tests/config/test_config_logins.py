"""The options of logins and validation: what is taken, and one clear problem for what is not."""

import pytest

from tests.config.loading import Load, Problems

_ACCOUNT = """
[accounts.crm]
base_url = "https://crm.example.com/api"
"""


@pytest.mark.parametrize(
    ("lines", "key", "message"),
    [
        (
            'grant = "authorization_code"\nclient_id = "me"\ntoken_url = "{base_url}/t"',
            "accounts.crm",
            "authorize_url is missing",
        ),
        (
            'grant = "authorization_code"\nclient_id = "me"\nauthorize_url = "{base_url}/a"',
            "accounts.crm",
            "token_url is missing",
        ),
        (
            'grant = "device_code"\nclient_id = "me"\ntoken_url = "{base_url}/t"',
            "accounts.crm",
            "device_url is missing",
        ),
        ('grant = "implicit"\nclient_id = "me"', "accounts.crm", "authorize_url is missing"),
        ('grant = "implicit"\nauthorize_url = "{base_url}/a"', "accounts.crm", "client_id is missing"),
        (
            'grant = "token"\nredirect_url = "https://crm.example.com/cb"',
            "accounts.crm.redirect_url",
            "loopback address",
        ),
        ('grant = "token"\nredirect_url = "http://10.0.0.1/cb"', "accounts.crm.redirect_url", "https"),
        ('grant = "token"\nvalidate = { kind = "get" }', "accounts.crm.validate", "url is missing"),
        ('grant = "token"\nvalidate = { kind = "ping", param = "t" }', "accounts.crm.validate", "take it out"),
        ('grant = "token"\nvalidate = { kind = "guess" }', "accounts.crm.validate.kind", "introspect"),
        ('grant = "token"\nvalidation = { kind = "ping" }', "accounts.crm.validation", "unknown key"),
        ('grant = "token"\nrefresh_lifetime = 90', "accounts.crm.refresh_lifetime", "duration"),
    ],
)
def test_a_fault_is_one_problem(problems: Problems, good: str, lines: str, key: str, message: str) -> None:
    """With its key and what to write instead."""
    (problem,) = problems(f"{good}{_ACCOUNT}{lines}\n")

    assert problem.key == key
    assert message in problem.message


def test_an_issuer_stands_for_every_endpoint(loaded: Load, good: str) -> None:
    """What it publishes need not be written."""
    accounts = loaded(
        good + f'{_ACCOUNT}grant = "device_code"\nclient_id = "me"\nissuer = "https://login.example.com"\n'
    ).accounts

    assert accounts["crm"].needs_person


def test_a_pasted_token_needs_nothing_else(loaded: Load, good: str) -> None:
    """Neither client nor endpoint."""
    options = loaded(
        good + f'{_ACCOUNT}grant = "token"\nvalidate = {{ kind = "get", url = "{{base_url}}/me" }}\n'
    ).accounts["crm"]

    assert options.validation is not None
    assert options.endpoints == ("https://crm.example.com/api/me",)
