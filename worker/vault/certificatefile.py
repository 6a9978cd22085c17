"""A client's certificate and its key from their files, looked through before anything is sent with them."""

from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from worker.model.errors import SecretError, SecretMissing
from worker.vault.certificate import Certificate
from worker.vault.secret import Secret

_LARGEST = 1024**2  # bytes of a certificate with its issuers


def read_certificate(path: Path, key: Secret, now: datetime) -> Certificate:
    """Returns the certificate in a file, once it is known to fit its key and to be valid now; raises SecretError."""
    chain = _read(path)
    try:
        certificate = x509.load_pem_x509_certificates(chain)[0]
    except ValueError:
        raise SecretError(
            f"client_cert {path} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----); name the right file."
        ) from None
    if _public_of(key) != certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo):
        raise SecretError(
            f"client_key is not the key of the certificate in {path} ({_name(certificate)}); name those that belong "
            "together, the client's own certificate first in its file."
        )
    _refuse_outdated(certificate, path, now)
    digest = certificate.fingerprint(hashes.SHA256()).hex()
    return Certificate(chain, key, _name(certificate), certificate.not_valid_after_utc, digest)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST)
    except FileNotFoundError:
        raise SecretMissing("client_cert", [f"file {path} (does not exist)"]) from None
    except OSError as error:
        raise SecretError(
            f"client_cert {path} cannot be read ({error.strerror}); make it readable for the user who runs the worker."
        ) from None


def _public_of(key: Secret) -> bytes:
    """Returns the public half of a private key; raises SecretError."""
    try:
        private = load_pem_private_key(key.reveal().encode(), None)
    except TypeError:
        raise SecretError(
            "client_key is encrypted; the worker takes it unencrypted, in a file of mode 0600. "
            "Type: openssl pkey -in KEY -out NEW_KEY"
        ) from None
    except (ValueError, UnsupportedAlgorithm):  # their texts may hold part of the key
        raise SecretError(
            "client_key holds no private key in PEM form (-----BEGIN PRIVATE KEY-----); name the right one."
        ) from None
    return private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _refuse_outdated(certificate: x509.Certificate, path: Path, now: datetime) -> None:
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now >= end:
        raise SecretError(
            f"the certificate in {path} ({_name(certificate)}) expired at {end:%Y-%m-%d %H:%MZ}; renew it."
        )
    if now < begin:
        raise SecretError(
            f"the certificate in {path} ({_name(certificate)}) is not valid before {begin:%Y-%m-%d %H:%MZ}; "
            "look at this machine's clock."
        )


def _name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string() or "without a name"
