"""The client's own part of a request to an authorization server: how it says who it is, and proves it."""

import base64
from dataclasses import dataclass, field
from urllib.parse import quote_plus

from worker.auth.account import Account
from worker.auth.assertion import client_assertion
from worker.vault.secret import Secret

Parameters = dict[str, str | Secret]
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"  # RFC 7523 section 2.2


@dataclass(frozen=True)
class ClientPart:
    """What a request carries for the client; either may be empty."""

    parameters: Parameters = field(default_factory=dict)
    headers: Parameters = field(default_factory=dict)


def client_part(account: Account, endpoint: str) -> ClientPart:
    """Returns how the account's client says who it is at an endpoint, by its option `client_auth`.

    A client without a secret only names itself. Raises AccountBlocked where an assertion cannot be signed.
    """
    options, secret = account.options, account.client_secret
    named: Parameters = {"client_id": options.client_id} if options.client_id else {}
    match options.client_auth:
        case "private_key_jwt":
            signed = client_assertion(account, endpoint)
            return ClientPart(named | {"client_assertion_type": ASSERTION_TYPE, "client_assertion": signed})
        case "basic" if secret is not None:
            return ClientPart(headers={"Authorization": basic_header(options.client_id, secret)})
        case "header":
            names = options.client_headers
            return ClientPart(headers={names.id: options.client_id} | ({names.secret: secret} if secret else {}))
        case "post" if secret is not None:
            return ClientPart(named | {"client_secret": secret})
        case _:
            return ClientPart(named)


def basic_header(client_id: str, client_secret: Secret) -> Secret:
    """Returns the Authorization header of a client; id and secret are form-encoded first (RFC 6749 section 2.3.1)."""
    pair = f"{quote_plus(client_id)}:{quote_plus(client_secret.reveal())}"
    return Secret(f"Basic {base64.b64encode(pair.encode('ascii')).decode('ascii')}")
