"""How a request shows its credential: a bearer token, HTTP basic, or an API key in a header or in the query."""

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from worker.auth.keeper import Token
from worker.model.account import AccountOptions
from worker.vault.secret import Secret
from worker.wire.outgoing import Outgoing, Value


class Signer:
    """Puts the credential into a request; keeps what the newest generation is sent as, so that it is known once."""

    def __init__(self, options: AccountOptions) -> None:
        self.header, self._prefix, self._param = _place(options)
        self._kept: tuple[Token, Secret] | None = None

    def sign(self, outgoing: Outgoing, token: Token) -> Outgoing:
        """Returns the request with the credential."""
        kept = self._kept
        if kept is None or kept[0] is not token:
            kept = self._kept = token, Secret(f"{self._prefix}{token.bearer.reveal()}")
        if self._param:
            url = _without(outgoing.url, self._param)
            return replace(outgoing, url=url, params={**outgoing.params, self._param: kept[1]})
        headers: Mapping[str, Value] = {**outgoing.headers, self.header: kept[1]}
        return replace(outgoing, headers=headers)


def _place(options: AccountOptions) -> tuple[str, str, str]:
    """Returns header, what stands before the credential in it, and query parameter; header or parameter is empty."""
    if options.grant == "basic":
        return "Authorization", "Basic ", ""  # RFC 7617 section 2
    if options.grant != "api_key":
        return "Authorization", "Bearer ", ""  # RFC 6750 section 2.1
    if options.api_key_param:
        return "", "", options.api_key_param
    return options.api_key_header, options.api_key_prefix, ""


def _without(url: str, param: str) -> str:
    """Returns the URL without the parameter, which a next link of an API may repeat."""
    parts = urlsplit(url)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    kept = [pair for pair in pairs if pair[0] != param]
    return url if len(kept) == len(pairs) else urlunsplit(parts._replace(query=urlencode(kept)))
