"""The grants of the table in test_grant_table: for each an account at the sandbox's IdP that uses it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, EntryPoints

import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.auth.keeping import WHO, idp_options
from worker.auth.account import Account
from worker.auth.custom import GROUP, Given
from worker.auth.verdict import Verdict
from worker.sandbox.server import Sandbox
from worker.vault.secret import Secret

_KEY = ec.generate_private_key(ec.SECP256R1())
_REF = {"env": "UNUSED"}
_SIGNS = {"private_key": _REF, "assertion": {"algorithm": "ES256", "subject": WHO.idp_username}}
_SIGNER = {"client_id": WHO.idp_signing_client_id, "client_secret": None, **_SIGNS}


@dataclass(frozen=True)
class Kind:
    """A grant and what it can do without a person."""

    name: str
    logs_in: bool
    refreshes: bool
    options: Mapping[str, object] = field(default_factory=dict)

    @property
    def group(self) -> str:
        """The column of the table."""
        if self.logs_in:
            return "both" if self.refreshes else "logs in"
        return "refreshes"


KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "password",
            logs_in=True,
            refreshes=True,
            options={"accept_password_grant": True, "username": WHO.idp_username, "password": _REF},
        ),
        Kind(
            "custom",
            logs_in=True,
            refreshes=True,
            options={"custom": {"name": "pin", "options": {"user": WHO.idp_username}, "secrets": {"pin": _REF}}},
        ),
        Kind("client_credentials", logs_in=True, refreshes=False),
        Kind("jwt_bearer", logs_in=True, refreshes=False, options={**_SIGNER, "client_auth": "none"}),
        Kind(
            "private_key_jwt",
            logs_in=True,
            refreshes=False,
            options={**_SIGNER, "grant": "client_credentials", "client_auth": "private_key_jwt"},
        ),
        Kind("refresh_token", logs_in=False, refreshes=True, options={"refresh_token": _REF}),
        Kind("authorization_code", logs_in=False, refreshes=True),
        Kind("device_code", logs_in=False, refreshes=True),
    )
}


class Pin:
    """A grant of one's own: the password grant in disguise."""

    def __init__(self, given: Given) -> None:
        self._given = given

    def parameters(self) -> dict[str, str | Secret]:
        """Returns user and pin."""
        user, pin = str(self._given.options["user"]), self._given.secrets["pin"]
        return {"grant_type": "password", "username": user, "password": pin}

    def verdict(self, _status: int, _code: str) -> Verdict:
        """Says refused."""
        return Verdict.REFUSED


def pin_points(group: str) -> EntryPoints:
    """Stands in for the installed entry points: `pin` is one."""
    return EntryPoints([EntryPoint("pin", f"{__name__}:Pin", GROUP)]).select(group=group)


def secrets_for(sandbox: Sandbox) -> dict[str, str]:
    """Returns what accounts of all kinds need: the signing key, and tokens of a login elsewhere.

    The sandbox's log of calls is empty afterwards.
    """
    encoding, none = serialization.Encoding.PEM, serialization.NoEncryption()
    private = _KEY.private_bytes(encoding, serialization.PrivateFormat.PKCS8, none).decode()
    public = _KEY.public_key().public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    sandbox.register_key(WHO.idp_signing_client_id, public)
    who = {"username": WHO.idp_username, "password": WHO.idp_password}
    client = {"client_id": WHO.idp_client_id, "client_secret": WHO.idp_client_secret}
    form = {"grant_type": "password", **who, **client}
    tokens = requests.post(f"{sandbox.url}/idp/token", data=form, timeout=10).json()
    sandbox.forget_calls()
    return {"key": private, "access": tokens["access_token"], "refresh": tokens["refresh_token"]}


def account_of(kind: Kind, url: str, secrets: Mapping[str, str]) -> Account:
    """Returns the account `tangoe` with this grant."""
    options = idp_options(url, **{"grant": kind.name, "base_url": f"{url}/idp/api", **kind.options})
    return Account(
        "tangoe",
        options,
        Secret(WHO.idp_client_secret) if options.client_secret else None,
        Secret(WHO.idp_password) if options.password else None,
        refresh_token=Secret(secrets["refresh"]) if options.refresh_token else None,
        private_key=Secret(secrets["key"]) if options.private_key else None,
        custom={"pin": Secret(WHO.idp_password)} if options.custom else {},
    )
