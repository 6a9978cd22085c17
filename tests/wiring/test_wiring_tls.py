"""A configured account with a client certificate, from its TOML to a far end that lets nobody else in."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from worker.auth.keeper import Keeper
from worker.calls.session import RunRef
from worker.config.load import Configuration, load
from worker.model.errors import ConfigurationError
from worker.model.listening import Events
from worker.sandbox.options import SandboxOptions
from worker.sandbox.server import Sandbox
from worker.store import calls
from worker.store.database import Database
from worker.store.writer import Writer
from worker.vault.keyring import create
from worker.wire.trail import Trail
from worker.wiring.accounts import Ground, build_accounts
from worker.wiring.databases import prepare
from worker.wiring.secrets import fetch

_CONFIG = """
[vault]
keys = {{ file = "worker.keys" }}

[accounts.erp]
base_url = "{url}/idp/api"
token_url = "{url}/idp/token"
client_id = "{client_id}"
client_secret = {{ env = "ERP_SECRET" }}
scope = "read"
ca_bundle = "{ca}"
client_cert = "secrets/client.pem"
client_key = {{ file = "secrets/client.key" }}
"""


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A far end that asks every caller for a certificate."""
    with Sandbox(SandboxOptions(rows=2, tls="mutual")) as running:
        yield running


@pytest.fixture
def configuration(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configuration:
    """The account, its certificate and key beside the configuration."""
    known = sandbox.options.credentials
    monkeypatch.setenv("ERP_SECRET", known.idp_client_secret)
    folder = tmp_path / "secrets"
    folder.mkdir()
    shutil.copy(sandbox.tls.client_cert, folder / "client.pem")
    shutil.copy(sandbox.tls.client_key, folder / "client.key")
    (folder / "client.key").chmod(0o600)
    create(tmp_path / "worker.keys")
    text = _CONFIG.format(url=sandbox.url, client_id=known.idp_client_id, ca=sandbox.tls.ca_bundle)
    (tmp_path / "config.toml").write_text(text)
    return load(tmp_path / "config.toml", {})


def test_both_lines_show_the_certificate(
    configuration: Configuration, sandbox: Sandbox, sqlite_database: Database, tmp_path: Path
) -> None:
    """The token request and the call go through; the far end names who came."""
    secrets = fetch(configuration)
    writer = Writer(sqlite_database, print)
    writer.start()
    events = Events()
    ground = Ground(sqlite_database, writer, prepare(sqlite_database, secrets.ring), Trail(writer, events), events)
    parts = build_accounts(configuration, secrets.accounts, ground)["erp"]
    api = parts.api.bind(RunRef("orders", 1, 1, lambda: None, lambda: 60.0))
    assert api.request("GET", "echo").json()["certificate"] == "sandbox-client"
    api.settle()
    parts.close()
    writer.stop()
    assert isinstance(parts.keeper, Keeper)
    assert [record.path for record in sandbox.calls()] == ["/idp/token", "/idp/api/echo"]
    with sqlite_database.read() as connection:
        assert len(calls.listing(connection)) == 2


def test_key_that_others_can_read_is_refused(configuration: Configuration, tmp_path: Path) -> None:
    """As every secret's file is; the problem names the key of the configuration."""
    (tmp_path / "secrets" / "client.key").chmod(0o640)
    with pytest.raises(ConfigurationError, match=r"accounts\.erp\.client_key: .*mode 0640"):
        fetch(configuration)


def test_certificate_that_does_not_fit_is_told_before_a_call(configuration: Configuration, tmp_path: Path) -> None:
    """With file, line and key, beside whatever else is wrong."""
    (tmp_path / "secrets" / "client.pem").write_text("nothing")
    with pytest.raises(ConfigurationError, match=r"config\.toml:\d+: accounts\.erp\.client_cert: .*no certificate"):
        fetch(configuration)
