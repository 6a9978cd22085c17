"""Every secret a configuration refers to, fetched once; all that are missing are told at once."""

from collections.abc import Iterator
from dataclasses import dataclass

from worker.auth.account import Account
from worker.config.load import Configuration
from worker.model.errors import ConfigurationError, KeyRingError, Problem, SecretError
from worker.model.secretref import SecretRef
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
        if options.client_secret:
            yield f"accounts.{name}.client_secret", options.client_secret
        if options.password and options.grant == "password":
            yield f"accounts.{name}.password", options.password


def fetch(configuration: Configuration) -> Secrets:
    """Returns all secrets; raises ConfigurationError that lists every one that cannot be had, with file and line."""
    found: dict[str, Secret] = {}
    problems: list[Problem] = []
    for key, reference in references(configuration):
        try:
            found[key] = resolve(reference, "the secret")
        except SecretError as error:
            problems.append(configuration.problem(key, str(error)))
    ring = _ring(configuration, problems)
    if problems or ring is None:
        raise ConfigurationError(problems)
    return Secrets(
        ring=ring,
        accounts={name: _account(configuration, name, found) for name in configuration.accounts},
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


def _account(configuration: Configuration, name: str, found: dict[str, Secret]) -> Account:
    options = configuration.accounts[name]
    key = f"accounts.{name}"
    return Account(name, options, found.get(f"{key}.client_secret"), found.get(f"{key}.password"))
