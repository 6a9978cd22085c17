"""How a token request is written: its parameters in body, query, JSON or headers, as the account's API wants them."""

from collections.abc import Iterable
from urllib.parse import urlencode

import orjson

from worker.auth.account import Account
from worker.auth.client import Parameters, client_part
from worker.vault.secret import Secret
from worker.wire.outgoing import Outgoing

_FORM = "application/x-www-form-urlencoded"


def token_request(account: Account, url: str, given: Parameters) -> Outgoing:
    """Returns the request that sends a grant's parameters and the client's to the token endpoint at `url`.

    Raises AccountBlocked where the client's assertion cannot be signed.
    """
    options = account.options
    client = client_part(account, url)
    parameters = given | client.parameters | options.token_extra
    headers = {"Accept": "application/json", **account.filled(options.token_headers), **client.headers}
    resources = options.resource
    match options.token_params:
        case "query":
            query = f"?{urlencode([('resource', one) for one in resources])}" if resources else ""
            return Outgoing("POST", url + query, params=parameters, headers=headers)
        case "headers":
            return Outgoing("POST", url, headers=headers | parameters)
        case "json":
            document = _clear(parameters) | ({"resource": _one_or_many(resources)} if resources else {})
            return Outgoing("POST", url, headers=headers, body=orjson.dumps(document), content_type="application/json")
        case _:
            pairs = [*_clear(parameters).items(), *(("resource", one) for one in resources)]
            return Outgoing("POST", url, headers=headers, body=urlencode(pairs).encode(), content_type=_FORM)


def _clear(parameters: Parameters) -> dict[str, str]:
    return {name: value.reveal() if isinstance(value, Secret) else value for name, value in parameters.items()}


def _one_or_many(values: Iterable[str]) -> str | list[str]:
    found = list(values)
    return found[0] if len(found) == 1 else found
