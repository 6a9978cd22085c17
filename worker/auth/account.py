"""What a configured account is once its secrets are at hand."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from worker.model.account import AccountOptions
from worker.vault.certificate import Certificate
from worker.vault.secret import Secret


@dataclass(frozen=True)
class Account:
    """An identity at one API: its options and the secrets these refer to.

    A secret that could not be had is None: tokens already stored go on being refreshed, a new login is impossible.
    """

    name: str
    options: AccountOptions
    client_secret: Secret | None
    password: Secret | None
    refresh_token: Secret | None = None  # given once, for the first login
    private_key: Secret | None = None  # PEM
    custom: Mapping[str, Secret] = field(default_factory=dict)  # of a grant of one's own
    api_key: Secret | None = None
    certificate: Certificate | None = None  # of the client, for TLS

    def identity(self) -> tuple[str, ...]:
        """Returns what decides for whom a token speaks: one stored under another identity is not this account's."""
        options = self.options
        where = options.token_endpoint or options.issuer
        whom = options.username, options.assertion.subject, options.scope, *options.resource
        return options.grant, where, options.client_id, *whom, *_flat(options.token_extra)

    def proof(self) -> tuple[str | Secret, ...]:
        """Returns what a token endpoint may refuse besides: when it changes, a refusal no longer holds."""
        options = self.options
        own = self.client_secret, self.password, self.refresh_token, self.private_key, self.api_key
        secrets = [secret or "" for secret in own] + [self.custom[name] for name in sorted(self.custom)]
        style = options.client_auth, options.token_params, options.key_id, options.assertion.model_dump_json()
        custom = options.custom.model_dump_json() if options.custom else ""
        key_place = options.api_key_header, options.api_key_prefix, options.api_key_param
        shown = self.certificate.thumbprint if self.certificate else ""
        return *secrets, *style, custom, *_flat(options.token_headers), *key_place, shown

    @property
    def login_command(self) -> str:
        """What a person types to log this account in."""
        return f"worker account login {self.name}" + (" --token-stdin" if self.options.grant == "token" else "")

    def filled(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Returns headers with tenant and client id filled in; one that stays empty counts as not given."""
        tenant, client_id = self.options.tenant, self.options.client_id
        texts = {
            name: text.replace("{tenant}", tenant).replace("{client_id}", client_id) for name, text in headers.items()
        }
        return {name: text for name, text in texts.items() if text.strip()}


def _flat(values: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(part for name in sorted(values) for part in (name, values[name]))
