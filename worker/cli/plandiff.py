"""What a changed configuration would change: jobs added, removed, changed, and their next ticks."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import orjson
from rich.text import Text

from worker.cli.jobs import next_tick
from worker.cli.output import clock, harmless, many
from worker.config.load import Configuration
from worker.store import jobs
from worker.store.database import Database
from worker.vault.redact import redact

_MARKS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}
_NOTHING = "(not set)"


@dataclass(frozen=True)
class Side:
    """The jobs of one configuration: what defines each, as JSON, and when it is due next."""

    texts: Mapping[str, str]
    ticks: Mapping[str, datetime | None]


@dataclass(frozen=True)
class JobChange:
    """What becomes of one job; `keys` has what was and what will be, by dotted key."""

    job: str
    kind: str
    keys: Mapping[str, tuple[Any, Any]]
    tick_before: datetime | None
    tick_after: datetime | None


def of_configuration(configuration: Configuration) -> Side:
    """Returns the jobs of a file."""
    texts = {name: redact(job.text) for name, job in configuration.jobs.items()}
    due = {name: next_tick(configuration, name) for name, job in configuration.jobs.items() if job.policy.enabled}
    return Side(texts, due)


def of_database(database: Database) -> Side:
    """Returns the jobs that the daemon was configured with last."""
    with database.read() as connection:
        texts = {name: found.text for name, found in jobs.defined(connection).items()}
        return Side(texts, {row.name: row.next_tick for row in jobs.listing(connection)})


def changes(before: Side, after: Side, names: Iterable[str] = ()) -> list[JobChange]:
    """Returns what becomes of the jobs that change, by name; of these names only, where there are some."""
    wanted = set(names) or {*before.texts, *after.texts}
    return [
        JobChange(
            job, _kind(job, before, after), _keys(job, before, after), before.ticks.get(job), after.ticks.get(job)
        )
        for job in sorted(wanted)
        if before.texts.get(job) != after.texts.get(job)
    ]


def _kind(job: str, before: Side, after: Side) -> str:
    if job not in before.texts:
        return "added"
    return "changed" if job in after.texts else "removed"


def _keys(job: str, before: Side, after: Side) -> dict[str, tuple[Any, Any]]:
    if job not in before.texts or job not in after.texts:
        return {}
    old, new = (dict(_flat(orjson.loads(side.texts[job]))) for side in (before, after))
    return {key: (old.get(key), new.get(key)) for key in sorted({*old, *new}) if old.get(key) != new.get(key)}


def _flat(value: object, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yields the values of a document by their dotted keys; a list is one value."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _flat(part, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def told(found: list[JobChange], same: int) -> Iterator[Text]:
    """Yields the changes as lines."""
    for change in found:
        mark, style = _MARKS[change.kind]
        yield Text(f"{mark} {change.job}", style=style)
        for key, (old, new) in change.keys.items():
            yield Text(harmless(f"    {key}: {_shown(old)} becomes {_shown(new)}"))
        if change.tick_before != change.tick_after:
            yield Text(f"    next tick: {_when(change.tick_before)} becomes {_when(change.tick_after)}", style="dim")
    yield Text(f"{many(len(found), 'job')} would change, {same:,} stay as they are", style="" if found else "dim")


def document(found: list[JobChange], same: int) -> dict[str, Any]:
    """Returns the changes as JSON has them."""
    return {"changes": [asdict(change) for change in found], "same": same}


def _shown(value: object) -> str:
    return _NOTHING if value is None else orjson.dumps(value).decode()


def _when(tick: datetime | None) -> str:
    return clock(tick) if tick else "none"
