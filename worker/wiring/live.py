"""What follows from one configuration, and the place where the one in force stands."""

from collections.abc import Mapping
from dataclasses import dataclass

from worker.auth.account import Account
from worker.auth.credential import Credential
from worker.config.configuration import Configuration
from worker.engine.schedule import Occurrences, of_job
from worker.model.moments import utc_now
from worker.runs.book import Book
from worker.runs.context import Resources
from worker.store.other import Others
from worker.store.postgres import Holder
from worker.wiring.accounts import AccountParts, Ground, build_accounts
from worker.wiring.databases import other_databases
from worker.wiring.secrets import Secrets


@dataclass(frozen=True)
class Configured:
    """All that follows from one configuration; what follows from the next one takes its place whole."""

    configuration: Configuration
    secrets: Secrets
    book: Book
    schedules: Mapping[str, Occurrences]  # of the jobs that a clock drives
    accounts: Mapping[str, AccountParts]
    others: Others
    resources: Resources


@dataclass
class Live:
    """Holds what is in force. Whoever asks gets all of one configuration; who keeps it goes on with that one."""

    current: Configured

    def book(self) -> Book:
        """Returns the jobs."""
        return self.current.book

    def schedules(self) -> Mapping[str, Occurrences]:
        """Returns when each job is due that a clock drives."""
        return self.current.schedules

    def resources(self) -> Resources:
        """Returns what a run that begins now works with."""
        return self.current.resources

    def credentials(self) -> Mapping[str, Credential]:
        """Returns every account's credential."""
        return {name: parts.credential for name, parts in self.current.accounts.items()}

    def replace(self, following: Configured) -> None:
        """Puts another configuration in force; what only the earlier one had closes its idle connections."""
        before, self.current = self.current, following
        for name, parts in before.accounts.items():
            if following.accounts.get(name) is not parts:
                parts.close()
        if following.others is not before.others:
            before.others.close()

    def close(self) -> None:
        """Closes every connection of accounts and other databases."""
        for parts in self.current.accounts.values():
            parts.close()
        self.current.others.close()


def configured(
    configuration: Configuration, secrets: Secrets, ground: Ground, before: Configured | None = None
) -> Configured:
    """Returns what follows from a configuration; sends nothing.

    Accounts and databases that are as they were `before` are taken over, with their tokens and open connections.
    """
    kept = _unchanged(configuration, secrets.accounts, before)
    fresh = {name: account for name, account in secrets.accounts.items() if name not in kept}
    accounts = {**kept, **build_accounts(configuration, fresh, ground)}
    others = _others(configuration, secrets, ground.database.holder, before)
    apis = {name: parts.api for name, parts in accounts.items()}
    resources = Resources(ground.database, others, apis, utc_now, ground.events)
    book = Book(configuration.jobs)
    return Configured(configuration, secrets, book, _schedules(configuration, before), accounts, others, resources)


def _unchanged(
    configuration: Configuration, accounts: Mapping[str, Account], before: Configured | None
) -> dict[str, AccountParts]:
    if before is None or configuration.network != before.configuration.network:
        return {}
    then = before.secrets.accounts
    return {name: before.accounts[name] for name, account in accounts.items() if account == then.get(name)}


def _others(configuration: Configuration, secrets: Secrets, holder: Holder | None, before: Configured | None) -> Others:
    same = before is not None and (configuration.databases, secrets.passwords) == (
        before.configuration.databases,
        before.secrets.passwords,
    )
    return before.others if before is not None and same else other_databases(configuration, secrets, holder)


def _schedules(configuration: Configuration, before: Configured | None) -> dict[str, Occurrences]:
    """Returns when each enabled job is due; the schedule of a job whose definition stands is the very same one."""
    found: dict[str, Occurrences] = {}
    for name, job in configuration.jobs.items():
        old = before.book.get(name) if before else None
        if before is not None and old is not None and old.hash == job.hash:
            schedule = before.schedules.get(name)
        else:
            schedule = of_job(job.policy, configuration.worker.timezone, name) if job.policy.enabled else None
        if schedule is not None:
            found[name] = schedule
    return found
