"""https with an authority of its own, with and without a client certificate."""

import socket
import stat
from pathlib import Path

import pytest
import requests

from tests.sandbox.belongings import belongings
from tests.sandbox.idpcalling import IdpCaller
from worker.sandbox.options import SandboxOptions
from worker.sandbox.server import Sandbox


def test_https_for_who_trusts_its_authority() -> None:
    """The URL says https, the certificate fits it, links and metadata lead back the same way."""
    with Sandbox(SandboxOptions(rows=3, tls="server")) as sandbox, requests.Session() as session:
        assert sandbox.url.startswith("https://127.0.0.1:")
        session.trust_env = False
        session.verify = str(sandbox.tls.ca_bundle)
        data = session.get(f"{sandbox.url}/idp/.well-known/openid-configuration", timeout=10).json()
        assert data["issuer"] == sandbox.issuer
        counts = session.get(f"{sandbox.url.replace('127.0.0.1', 'localhost')}/_sandbox/counts", timeout=10)
        assert counts.json()["devices"] == 3


def test_a_stranger_does_not_trust_it() -> None:
    """Without the bundle, and with that of another sandbox, the certificate is refused."""
    options = SandboxOptions(rows=1, tls="server")
    with Sandbox(options) as one, Sandbox(options) as other, requests.Session() as session:
        session.trust_env = False
        for bundle in (True, str(other.tls.ca_bundle)):
            with pytest.raises(requests.exceptions.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
                session.get(one.url, verify=bundle, timeout=10)


def test_mutual_tls_asks_for_a_certificate_of_its_authority() -> None:
    """With it a call goes through and the echo names it; without, or with another's, the connection ends."""
    options = SandboxOptions(rows=1, tls="mutual")
    with Sandbox(options) as sandbox, Sandbox(options) as other:
        idp = IdpCaller(sandbox)
        with idp.session:
            idp.session.verify = str(sandbox.tls.ca_bundle)
            with pytest.raises(requests.ConnectionError):
                idp.token("client_credentials")
            idp.session.cert = (str(other.tls.client_cert), str(other.tls.client_key))
            with pytest.raises(requests.ConnectionError):
                idp.token("client_credentials")
            idp.session.cert = (str(sandbox.tls.client_cert), str(sandbox.tls.client_key))
            token = idp.token("client_credentials").json()["access_token"]
            assert idp.api("/echo", token).json()["certificate"] == "sandbox-client"
        assert len(sandbox.calls()) == 2


def test_a_stop_leaves_nothing_open() -> None:
    """A connection kept alive and one in the middle of its handshake end with the sandbox; so do threads and files."""
    before = belongings()
    sandbox = Sandbox(SandboxOptions(rows=1, tls="server")).start()
    address = ("127.0.0.1", int(sandbox.url.rpartition(":")[2]))
    with requests.Session() as session, socket.create_connection(address) as silent:
        session.trust_env = False
        session.verify = str(sandbox.tls.ca_bundle)
        assert session.get(f"{sandbox.url}/_sandbox/counts", timeout=10).status_code == 200
        sandbox.stop()
        silent.settimeout(10)
        assert silent.recv(1) == b""
    assert belongings() <= before


def test_the_files_are_private_and_go_with_the_sandbox() -> None:
    """Mode 0600 while it runs; gone after the stop, and then asking for them is an error."""
    with Sandbox(SandboxOptions(rows=1, tls="mutual")) as sandbox:
        files = sandbox.tls
        for path in (files.client_key, files.server):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        folder: Path = files.ca_bundle.parent
    assert not folder.exists()
    with pytest.raises(RuntimeError, match=r"only while it runs with options\.tls"):
        _ = sandbox.tls


def test_without_tls_there_are_no_files(sandbox: Sandbox) -> None:
    """Plain http."""
    with pytest.raises(RuntimeError, match="TLS files"):
        _ = sandbox.tls


def test_another_mode_is_refused() -> None:
    """ValueError names the modes."""
    with pytest.raises(ValueError, match="tls must be one of '', 'server', 'mutual'"):
        SandboxOptions(tls="yes")


def test_a_taken_port_leaves_no_files() -> None:
    """A start that fails cleans up."""
    with Sandbox(SandboxOptions(rows=1)) as first:
        second = Sandbox(SandboxOptions(rows=1, tls="server", port=int(first.url.rpartition(":")[2])))
        with pytest.raises(OSError, match="address already in use"):
            second.start()
        with pytest.raises(RuntimeError, match="TLS files"):
            _ = second.tls
