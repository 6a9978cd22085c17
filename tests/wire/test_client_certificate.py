"""Client certificates (RFC 8705): shown on both lines of an account, and looked through before anything is sent."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from tests.wire.farend import LIMITS, READ, Bench
from worker.model.errors import CallError, SecretError
from worker.sandbox.options import SandboxOptions
from worker.sandbox.server import Sandbox
from worker.sandbox.tls import CLIENT
from worker.vault.certificate import Certificate
from worker.vault.certificatefile import read_certificate
from worker.vault.secret import Secret
from worker.wire.adapter import Way
from worker.wire.line import Line
from worker.wire.outgoing import Outgoing

NOW = datetime.now(UTC)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A far end that lets nobody in without a certificate of its own authority."""
    with Sandbox(SandboxOptions(rows=1, tls="mutual")) as running:
        yield running


@pytest.fixture
def key(sandbox: Sandbox) -> Secret:
    """The client's key."""
    return Secret(sandbox.tls.client_key.read_text())


@pytest.fixture
def certificate(sandbox: Sandbox, key: Secret) -> Certificate:
    """The client's certificate."""
    return read_certificate(sandbox.tls.client_cert, key, NOW)


def asked(bench: Bench, sandbox: Sandbox, certificate: Certificate | None) -> int:
    """Returns the status of one call that shows this certificate."""
    way = Way(ca_bundle=sandbox.tls.ca_bundle, certificate=certificate)
    line = bench.keep(Line(frozenset({sandbox.url}), LIMITS, bench.trail, way))
    return line.send(Outgoing("GET", f"{sandbox.url}/_sandbox/counts"), READ).answer.status


def test_certificate_opens_the_way(bench: Bench, sandbox: Sandbox, certificate: Certificate) -> None:
    """The handshake succeeds, and what is known of the certificate is told without its key."""
    assert asked(bench, sandbox, certificate) == 200
    assert certificate.subject == f"CN={CLIENT}"
    assert timedelta(0) < certificate.expires_at - NOW < timedelta(days=8)
    assert "BEGIN" not in repr(certificate)


def test_nobody_comes_in_without_it(bench: Bench, sandbox: Sandbox) -> None:
    """The far end ends the handshake; the error says TLS and no more."""
    with pytest.raises(CallError, match=r"TLS failed|connection was|closed"):
        asked(bench, sandbox, None)
    assert not sandbox.calls()


def test_missing_file_is_told(tmp_path: Path, key: Secret) -> None:
    """With its path."""
    with pytest.raises(SecretError, match=r"client_cert was not found; looked at: file .*none\.pem"):
        read_certificate(tmp_path / "none.pem", key, NOW)


def test_file_without_a_certificate_is_told(sandbox: Sandbox, key: Secret) -> None:
    """Such as the key's own file."""
    with pytest.raises(SecretError, match="holds no certificate in PEM form"):
        read_certificate(sandbox.tls.client_key, key, NOW)


def test_key_of_another_certificate_is_told(sandbox: Sandbox, certificate: Certificate) -> None:
    """It would only show in the handshake, in OpenSSL's words."""
    other = rsa.generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(SecretError, match=f"is not the key of the certificate in .*CN={CLIENT}"):
        read_certificate(sandbox.tls.client_cert, Secret(other.decode()), NOW)


def test_encrypted_key_is_refused_with_the_remedy(sandbox: Sandbox, key: Secret) -> None:
    """OpenSSL would ask for its password on a terminal that is not there."""
    private = load_pem_private_key(key.reveal().encode(), None)
    locked = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password"))
    with pytest.raises(SecretError, match=r"client_key is encrypted.*openssl pkey"):
        read_certificate(sandbox.tls.client_cert, Secret(locked.decode()), NOW)


def test_text_that_is_no_key_is_told_without_it(sandbox: Sandbox) -> None:
    """The error holds nothing of what was there."""
    with pytest.raises(SecretError, match="holds no private key") as caught:
        read_certificate(sandbox.tls.client_cert, Secret("canary-that-is-no-key"), NOW)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("after", "told"), [(timedelta(days=8), "expired at"), (-timedelta(days=1), "not valid before")]
)
def test_certificate_out_of_its_time_is_told(sandbox: Sandbox, key: Secret, after: timedelta, told: str) -> None:
    """Before the first call meets it."""
    with pytest.raises(SecretError, match=told):
        read_certificate(sandbox.tls.client_cert, key, NOW + after)


def test_encrypted_key_never_waits_for_a_terminal(bench: Bench, sandbox: Sandbox, certificate: Certificate) -> None:
    """Should one come so far, the call fails; nothing asks on standard input."""
    private = load_pem_private_key(certificate.key.reveal().encode(), None)
    locked = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password"))
    with pytest.raises(CallError):
        asked(bench, sandbox, replace(certificate, key=Secret(locked.decode())))
