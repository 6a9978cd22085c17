"""Every secret a configuration refers to, fetched once; all that are missing are told at once."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from worker.auth.account import Account
from worker.auth.assertion import check_key
from worker.config.load import Configuration
from worker.model.account import AccountOptions
from worker.model.errors import AccountBlocked, ConfigurationError, KeyRingError, Problem, SecretError
from worker.model.moments import utc_now
from worker.model.secretref import SecretRef
from worker.vault.certificate import Certificate
from worker.vault.livering import LiveRing, follow
from worker.vault.secret import Secret
from worker.vault.sources import resolve


@dataclass(frozen=True)
class Secrets:
    """What the references stand for."""

    ring: LiveRing
    accounts: dict[str, Account]
    passwords: dict[str, Secret]  # of `[databases.*]`, where they have one


def references(configuration: Configuration) -> Iterator[tuple[str, SecretRef]]:
    """Yields (dotted key, reference) of every secret the configuration names, but for the key ring."""
    if configuration.database.password:
        yield "database.password", configuration.database.password
    for name, database in configuration.databases.items():
        if database.password:
            yield f"databases.{name}.password", database.password
    for name, options in configuration.accounts.items():
        yield from _of_account(f"accounts.{name}", options)


def _of_account(key: str, options: AccountOptions) -> Iterator[tuple[str, SecretRef]]:
    """Yields the secrets that the account needs for its grant, and to prove its client."""
    named = {
        "client_secret": options.client_secret,
        "private_key": options.private_key,
        "password": options.password if options.grant in ("password", "basic") else None,
        "api_key": options.api_key if options.grant == "api_key" else None,
        "client_key": options.client_key,
        "refresh_token": options.refresh_token if options.grant == "refresh_token" else None,
    }
    named |= {f"custom.secrets.{name}": one for name, one in (options.custom.secrets if options.custom else {}).items()}
    for name, reference in named.items():
        if reference is not None:
            yield f"{key}.{name}", reference


def fetch_some(configuration: Configuration, names: Iterable[str]) -> tuple[LiveRing, dict[str, Account]]:
    """Returns the key ring and these accounts, whose secrets alone are fetched; raises ConfigurationError."""
    problems: list[Problem] = []
    some = sorted(names)
    wanted = (one for name in some for one in _of_account(f"accounts.{name}", configuration.accounts[name]))
    found = _resolved(configuration, wanted, problems)
    ring = _ring(configuration, problems)
    if problems or ring is None:
        raise ConfigurationError(problems)
    accounts = {name: _account(configuration, name, found, problems) for name in some}
    _check_keys(configuration, accounts, problems)
    return ring, accounts


def _resolved(
    configuration: Configuration, wanted: Iterable[tuple[str, SecretRef]], problems: list[Problem]
) -> dict[str, Secret]:
    """Returns the secrets by key; those that cannot be had are added to the problems."""
    found: dict[str, Secret] = {}
    for key, reference in wanted:
        try:
            found[key] = resolve(reference, "the secret")
        except SecretError as error:
            problems.append(configuration.problem(key, str(error)))
    return found


def fetch(configuration: Configuration) -> Secrets:
    """Returns all secrets; raises ConfigurationError that lists every one that cannot be had, with file and line."""
    problems: list[Problem] = []
    found = _resolved(configuration, references(configuration), problems)
    ring = _ring(configuration, problems)
    if problems or ring is None:
        raise ConfigurationError(problems)
    accounts = {name: _account(configuration, name, found, problems) for name in configuration.accounts}
    _check_keys(configuration, accounts, problems)
    return Secrets(
        ring=ring,
        accounts=accounts,
        passwords={
            name: found[f"databases.{name}.password"]
            for name in configuration.databases
            if f"databases.{name}.password" in found
        },
    )


def _ring(configuration: Configuration, problems: list[Problem]) -> LiveRing | None:
    try:
        return follow(configuration.vault.keys, wanted="the key ring")
    except (SecretError, KeyRingError) as error:
        problems.append(configuration.problem("vault.keys", str(error)))
        return None


def _check_keys(configuration: Configuration, accounts: dict[str, Account], problems: list[Problem]) -> None:
    """Raises ConfigurationError where a private key cannot sign, and where there are problems already."""
    for name, account in accounts.items():
        try:
            if account.private_key:
                check_key(account)
        except AccountBlocked as error:
            problems.append(configuration.problem(f"accounts.{name}.private_key", str(error)))
    if problems:
        raise ConfigurationError(problems)


def _certificate(
    configuration: Configuration, account: str, key: Secret | None, problems: list[Problem]
) -> Certificate | None:
    """Returns the account's TLS certificate; what is wrong with it is added to the problems."""
    path = configuration.accounts[account].client_cert
    if path is None or key is None:
        return None
    from worker.vault.certificatefile import read_certificate  # noqa: PLC0415  few have one, and X.509 takes megabytes

    try:
        return read_certificate(path, key, utc_now())
    except SecretError as error:
        problems.append(configuration.problem(f"accounts.{account}.client_cert", str(error)))
        return None


def _account(configuration: Configuration, name: str, found: dict[str, Secret], problems: list[Problem]) -> Account:
    options = configuration.accounts[name]
    key = f"accounts.{name}"
    names = options.custom.secrets if options.custom else ()
    return Account(
        name,
        options,
        found.get(f"{key}.client_secret"),
        found.get(f"{key}.password"),
        refresh_token=found.get(f"{key}.refresh_token"),
        private_key=found.get(f"{key}.private_key"),
        api_key=found.get(f"{key}.api_key"),
        certificate=_certificate(configuration, name, found.get(f"{key}.client_key"), problems),
        custom={secret: found[f"{key}.custom.secrets.{secret}"] for secret in names},
    )
