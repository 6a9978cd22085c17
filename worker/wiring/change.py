"""What a new configuration changes, and what of it a running process cannot take up."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from worker.config.configuration import Configuration
from worker.engine.schedule import Occurrences
from worker.wiring.live import Configured

AT_START_ONLY = (
    "worker.name",
    "worker.concurrency",
    "worker.lease",
    "database.url",
    "database.password",
    "vault.keys",
    "log.file",
)


@dataclass(frozen=True)
class ConfigChange:
    """The names of what differs between two configurations."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    rescheduled: Mapping[str, Occurrences | None]  # what the clock is told; None: off the clock
    accounts: tuple[str, ...]  # new ones, and those with other options or secrets

    @property
    def words(self) -> str:
        """The change in a few words."""
        jobs = {"added": self.added, "changed": self.changed, "removed": self.removed}
        told = [f"{len(names)} job{'s' * (len(names) != 1)} {how}" for how, names in jobs.items() if names]
        if self.accounts:
            told.append(f"accounts anew: {', '.join(self.accounts)}")
        return ", ".join(told) or "no job and no account changed"


def change(before: Configured, after: Configured) -> ConfigChange:
    """Returns what differs."""
    old, new = before.book.jobs, after.book.jobs
    fresh = (name for name, parts in after.accounts.items() if parts is not before.accounts.get(name))
    return ConfigChange(
        added=tuple(sorted(new.keys() - old.keys())),
        changed=tuple(sorted(name for name in new.keys() & old.keys() if new[name].hash != old[name].hash)),
        removed=tuple(sorted(old.keys() - new.keys())),
        rescheduled=dict(_rescheduled(before.schedules, after.schedules)),
        accounts=tuple(sorted(fresh)),
    )


def _rescheduled(
    old: Mapping[str, Occurrences], new: Mapping[str, Occurrences]
) -> Iterator[tuple[str, Occurrences | None]]:
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            yield name, new.get(name)


def at_next_start(begun: Configuration, now: Configuration) -> list[str]:
    """Returns the keys whose values differ from those the process began with, and which it cannot take up."""
    return [key for key in AT_START_ONLY if _value(begun, key) != _value(now, key)]


def _value(configuration: Configuration, key: str) -> object:
    section, name = key.split(".")
    return getattr(getattr(configuration, section), name)
