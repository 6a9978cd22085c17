"""What a configured account is once its secrets are at hand."""

from dataclasses import dataclass

from worker.model.account import AccountOptions
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

    def identity(self) -> tuple[str, ...]:
        """Returns what decides for whom a token speaks: one stored under another identity is not this account's."""
        options = self.options
        return options.grant, options.token_endpoint, options.client_id, options.username, options.scope

    def proof(self) -> tuple[str | Secret, ...]:
        """Returns what a token endpoint may refuse besides: when it changes, a refusal no longer holds."""
        secrets = (self.client_secret or "", self.password or "")
        return *secrets, self.options.client_auth, self.options.token_params
