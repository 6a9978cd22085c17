"""An authority of its own for one sandbox: certificates for https, and one for a client, made on the fly."""

import asyncio
import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CLIENT = "sandbox-client"  # the common name of the client's certificate
_LIFE = timedelta(days=7)
_PAST = timedelta(hours=1)  # a clock that is a little behind believes the certificates too
_NAMES = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files a caller needs; they live as long as the sandbox listens."""

    ca_bundle: Path
    client_cert: Path
    client_key: Path
    server: Path  # certificate and key of the sandbox itself


@dataclass(frozen=True, slots=True)
class _Signer:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def write_files(folder: Path, host: str) -> TlsFiles:
    """Makes an authority, a server certificate for the host and a client certificate; writes them into the folder."""
    root = _authority()
    served = _certificate(root, "sandbox", ExtendedKeyUsageOID.SERVER_AUTH, (*_NAMES, host))
    client = _certificate(root, CLIENT, ExtendedKeyUsageOID.CLIENT_AUTH, ())
    return TlsFiles(
        _write(folder / "ca.pem", _pem(root.certificate)),
        _write(folder / "client.pem", _pem(client.certificate)),
        _write(folder / "client.key", _key_pem(client.key)),
        _write(folder / "server.pem", _pem(served.certificate) + _key_pem(served.key)),
    )


def server_context(files: TlsFiles, *, mutual: bool) -> ssl.SSLContext:
    """Returns the context to listen with; `mutual` asks every caller for a certificate of this authority."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(files.ca_bundle))
    context.load_cert_chain(files.server)
    context.verify_mode = ssl.CERT_REQUIRED if mutual else ssl.CERT_NONE
    return context


async def cut_off() -> None:
    """Closes what is still open on this event loop: a half-made handshake, or one who never says goodbye.

    aiohttp and asyncio wait for the peer in both cases, and the socket would outlive the loop.
    """
    loop = asyncio.get_running_loop()
    for transport in list(getattr(loop, "_transports", {}).values()):
        transport.abort()
    await asyncio.sleep(0)


def _authority() -> _Signer:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sandbox authority")])
    built = _builder(name, name, key.public_key())
    built = built.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    built = built.add_extension(_usage(signs_certificates=True), critical=True)
    built = built.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return _Signer(built.sign(key, hashes.SHA256()), key)


def _certificate(root: _Signer, name: str, use: x509.ObjectIdentifier, hosts: tuple[str, ...]) -> _Signer:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    built = _builder(subject, root.certificate.subject, key.public_key())
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(root.key.public_key())
    built = built.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    built = built.add_extension(_usage(signs_certificates=False), critical=True)
    built = built.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
    built = built.add_extension(issuer, critical=False)
    if hosts:
        names = [_general(host) for host in dict.fromkeys(hosts)]
        built = built.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return _Signer(built.sign(root.key, hashes.SHA256()), key)


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _PAST)
        .not_valid_after(now + _LIFE)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(path: Path, text: bytes) -> Path:
    path.touch(mode=0o600)
    path.write_bytes(text)
    return path
