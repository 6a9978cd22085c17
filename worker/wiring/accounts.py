"""The accounts: for each its two ways out (token endpoint, API), its keeper and its access for jobs."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from worker.auth.account import Account
from worker.auth.keeper import Keeper
from worker.calls.session import AccountApi
from worker.config.load import Configuration
from worker.model.events import Events
from worker.model.options import AccountOptions, NetworkOptions
from worker.store.database import Database
from worker.store.writer import Writer
from worker.vault.cipher import Cipher
from worker.wire.line import Line
from worker.wire.outgoing import Limits
from worker.wire.trail import Trail


@dataclass(frozen=True)
class AccountParts:
    """One account's parts."""

    keeper: Keeper
    api: AccountApi
    lines: tuple[Line, Line]

    def close(self) -> None:
        """Closes its connections."""
        for line in self.lines:
            line.close()


@dataclass(frozen=True)
class Ground:
    """What every account's parts stand on."""

    database: Database
    writer: Writer
    cipher: Cipher
    trail: Trail
    events: Events


def build_accounts(
    configuration: Configuration, accounts: Mapping[str, Account], ground: Ground
) -> dict[str, AccountParts]:
    """Returns the parts of every account; sends nothing."""
    return {name: _build(account, configuration.network, ground) for name, account in accounts.items()}


def _build(account: Account, network: NetworkOptions, ground: Ground) -> AccountParts:
    options = account.options
    token_line = _line(options, frozenset({_origin(options.token_endpoint)}), network, ground)
    api_line = _line(options, frozenset(map(_origin, (options.base_url, *options.origins))), network, ground)
    keeper = Keeper(account, ground.database, ground.writer, ground.cipher, token_line, ground.events)
    api = AccountApi(account, api_line, keeper, ground.events)
    return AccountParts(keeper, api, (token_line, api_line))


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def _line(options: AccountOptions, origins: frozenset[str], network: NetworkOptions, ground: Ground) -> Line:
    limits = Limits(options.connect_timeout, options.read_timeout, options.deadline, options.max_body)
    return Line(
        origins,
        limits,
        ground.trail,
        proxy=options.proxy or network.proxy,
        ca_bundle=options.ca_bundle or network.ca_bundle,
        correlation=options.correlation,
    )
