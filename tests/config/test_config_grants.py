"""Grants and token styles as they are written, and one clear sentence for each fault."""

from pathlib import Path

import pytest

from tests.config.loading import Load, Problems
from worker.model.errors import ConfigurationError
from worker.model.secretref import SecretRef
from worker.wiring.secrets import fetch, references

START = """\
[vault]
keys = { file = "worker.keys" }
[accounts.erp]
base_url = "https://erp.example.com"
client_id = "me"
"""


def test_everything_is_read(loaded: Load) -> None:
    """Tables within an account reach their options as they stand, those for plug-ins without a schema."""
    text = (
        START
        + """
grant = "custom"
issuer = "https://login.example.com/"
client_auth = "private_key_jwt"
private_key = { file = "key.pem" }
key_id = "k-1"
assertion = { lifetime = "90s", algorithm = "ES384", claims = { team = ["a", 1], in = { x = true } } }
custom = { name = "exchange", options = { region = "eu", tries = 3 }, secrets = { pin = { env = "PIN" } } }
token_params = "json"
token_extra = { audience = "https://erp" }
resource = "https://erp.example.com"
bearer = "refresh_token"
new_token = { header = "X-New", field = "token" }
"""
    )
    options = loaded(text).accounts["erp"]
    assert options.issuer == "https://login.example.com/"  # its slash counts
    assert options.assertion.claims == {"team": ["a", 1], "in": {"x": True}}
    assert (options.assertion.lifetime, options.assertion.algorithm) == (90.0, "ES384")
    assert options.custom is not None
    assert options.custom.options == {"region": "eu", "tries": 3}
    assert options.custom.secrets["pin"] == SecretRef(env="PIN")
    assert (options.resource, options.new_token.field) == (("https://erp.example.com",), ("token",))
    found = dict(references(loaded(text)))
    assert set(found) == {"accounts.erp.private_key", "accounts.erp.custom.secrets.pin"}


_PLACE = 'token_url = "https://x/t"\n'


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ('client_secret = { env = "E" }', "token_url is missing: name it, or the issuer that publishes it"),
        (_PLACE + 'grant = "refresh_token"', "refresh_token is missing, which the grant refresh_token needs"),
        (_PLACE + 'grant = "jwt_bearer"', "private_key is missing, which the grant jwt_bearer needs"),
        (_PLACE + 'grant = "custom"', "custom is missing, which the grant custom needs"),
        (
            _PLACE + 'client_auth = "private_key_jwt"',
            "private_key is missing, which the grant client_credentials needs",
        ),
        (
            _PLACE + 'grant = "refresh_token"\nrefresh_token = { env = "R" }\nclient_auth = "private_key_jwt"',
            'private_key is missing, which client_auth = "private_key_jwt" needs',
        ),
        (_PLACE + 'client_auth = "none"\nclient_secret = { env = "E" }', "nothing but the client's proof"),
        (
            _PLACE + 'client_secret = { env = "E" }\ntoken_params = "headers"\nresource = "https://a"',
            "resource cannot be sent in headers",
        ),
        (_PLACE + 'client_secret = { env = "E" }\ntoken_headers = { Authorization = "x" }', "holds a credential"),
        (_PLACE + 'client_secret = { env = "E" }\ntoken_headers = { X = "{tenant}" }', "tenant is missing"),
        ('client_secret = { env = "E" }\nissuer = "http://login.example.com"', "expected https"),
        (_PLACE + 'client_secret = { env = "E" }\nassertion = { algorithm = "none" }', "RS256"),
        (_PLACE + 'client_secret = { env = "E" }\nassertion = { lifetime = "2h" }', "3600"),
    ],
)
def test_faults_are_told(problems: Problems, lines: str, message: str) -> None:
    """One problem, at the account, in one sentence that says what to do."""
    (problem,) = problems(f"{START}{lines}\n")
    assert problem.key.startswith("accounts.erp")
    assert message in problem.message


def test_key_that_cannot_sign_is_a_problem_of_its_line(loaded: Load, tmp_path: Path) -> None:
    """A private key of the wrong kind is told at the start, with file and line, and not a word of it."""
    for name, text in {"key.pem": "no key at all", "worker.keys": f"k1:{'MTEx' * 10}MTE=\n"}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    text = f'{START}{_PLACE}grant = "jwt_bearer"\nprivate_key = {{ file = "key.pem" }}\n'
    with pytest.raises(ConfigurationError) as caught:
        fetch(loaded(text))
    (problem,) = caught.value.problems
    assert (problem.key, problem.line) == ("accounts.erp.private_key", 8)
    assert "private_key cannot sign with RS256" in problem.message
    assert "no key at all" not in str(caught.value)
