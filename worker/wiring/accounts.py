"""The accounts: for each its two ways out (token endpoint, API), its keeper and its access for jobs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from worker.auth.account import Account
from worker.auth.keeper import Keeper
from worker.auth.pace import Pace, token_limits
from worker.calls.session import AccountApi
from worker.config.load import Configuration
from worker.model.account import AccountOptions
from worker.model.events import Events
from worker.model.options import NetworkOptions
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
    rescue_dir = configuration.files[0].parent if ground.database.dialect == "postgresql" else None
    return {name: _build(account, configuration.network, ground, rescue_dir) for name, account in accounts.items()}


def _build(account: Account, network: NetworkOptions, ground: Ground, rescue_dir: Path | None) -> AccountParts:
    options = account.options
    api_limits = Limits(options.connect_timeout, options.read_timeout, options.deadline, options.max_body)
    out = _WayOut(options, network, ground.trail)
    token_line = out.line({*options.endpoints, *options.origins}, token_limits(options))
    api_line = out.line({options.base_url, *options.origins}, api_limits)
    keeper = Keeper(
        account,
        ground.database,
        ground.writer,
        ground.cipher,
        token_line,
        ground.events,
        pace=Pace(rescue_dir=rescue_dir),
    )
    api = AccountApi(account, api_line, keeper, ground.events)
    return AccountParts(keeper, api, (token_line, api_line))


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


@dataclass(frozen=True)
class _WayOut:
    """How an account's requests leave, whatever they are for."""

    options: AccountOptions
    network: NetworkOptions
    trail: Trail

    def line(self, urls: set[str], limits: Limits) -> Line:
        """Returns a line to the origins of these URLs and to no other."""
        return Line(
            frozenset(map(_origin, urls)),
            limits,
            self.trail,
            proxy=self.options.proxy or self.network.proxy,
            ca_bundle=self.options.ca_bundle or self.network.ca_bundle,
            correlation=self.options.correlation,
        )
