"""The accounts: for each its two ways out (token endpoint, API), its keeper and its access for jobs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from worker.auth.account import Account
from worker.auth.credential import Credential
from worker.auth.keeper import Keeper
from worker.auth.pace import Pace, token_limits
from worker.auth.static import StaticKeeper
from worker.calls.session import AccountApi
from worker.config.load import Configuration
from worker.model.account import AccountOptions
from worker.model.errors import LoginFailed
from worker.model.listening import Events
from worker.model.options import NetworkOptions
from worker.store.database import Database
from worker.store.writer import Writer
from worker.vault.cipher import Cipher
from worker.wire.adapter import Way
from worker.wire.line import Line
from worker.wire.outgoing import Limits
from worker.wire.trail import Trail


@dataclass(frozen=True)
class AccountParts:
    """One account's parts."""

    credential: Credential
    api: AccountApi
    lines: tuple[Line, Line]

    @property
    def keeper(self) -> Keeper:
        """What keeps the account's token; raises LoginFailed where its secret itself goes along with each call."""
        if isinstance(self.credential, Keeper):
            return self.credential
        account = self.api.means.account
        raise LoginFailed(
            f"account {account.name} has no token to look after: with the grant {account.options.grant} its secret "
            "goes along with each call; change it where the configuration says it lies.",
            account.name,
        )

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
    way = Way(options.proxy or network.proxy, options.ca_bundle or network.ca_bundle, account.certificate)
    out = _WayOut(options, way, ground.trail)
    token_line = out.line({*options.endpoints, *options.origins, options.base_url}, token_limits(options))
    api_line = out.line({options.base_url, *options.origins}, api_limits)
    credential = _credential(account, token_line, ground, rescue_dir)
    api = AccountApi(account, api_line, credential, ground.events)
    return AccountParts(credential, api, (token_line, api_line))


def _credential(account: Account, line: Line, ground: Ground, rescue_dir: Path | None) -> Credential:
    if account.options.is_static:
        return StaticKeeper(account, ground.database, ground.writer, ground.cipher, ground.events)
    return Keeper(
        account,
        ground.database,
        ground.writer,
        ground.cipher,
        line,
        ground.events,
        pace=Pace(rescue_dir=rescue_dir),
    )


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


@dataclass(frozen=True)
class _WayOut:
    """How an account's requests leave, whatever they are for."""

    options: AccountOptions
    way: Way
    trail: Trail

    def line(self, urls: set[str], limits: Limits) -> Line:
        """Returns a line to the origins of these URLs and to no other."""
        return Line(
            frozenset(map(_origin, urls)),
            limits,
            self.trail,
            self.way,
            correlation=self.options.correlation,
        )
