"""The configuration as the rooms are handed it: whole, validated, frozen."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from worker.config.draft import Table
from worker.config.lines import undotted
from worker.config.places import Place, Places
from worker.model.account import AccountOptions
from worker.model.errors import Problem
from worker.model.options import (
    DatabaseOptions,
    JobOptions,
    LogOptions,
    NetworkOptions,
    PolicyOptions,
    RetentionOptions,
    VaultOptions,
    WorkerOptions,
)


@dataclass(frozen=True)
class JobDefinition:
    """One job as it stands after `[defaults]`, profile and the worker's time zone were put beneath its own keys."""

    name: str
    policy: JobOptions
    type: str
    options: BaseModel  # the job type's own model
    hash: str  # SHA-256 of `text`, hexadecimal; differs wherever the definition does
    text: str  # canonical JSON; secrets are references in it
    accounts: frozenset[str] = frozenset()  # those it runs under
    written: bytes = field(default=b"", repr=False, compare=False)  # what it was made of: see `kept`


@dataclass(frozen=True)
class Configuration:
    """Every section, and where each key was written."""

    worker: WorkerOptions
    database: DatabaseOptions
    vault: VaultOptions
    log: LogOptions
    network: NetworkOptions
    retention: RetentionOptions
    defaults: PolicyOptions
    accounts: Mapping[str, AccountOptions]
    databases: Mapping[str, DatabaseOptions]
    jobs: Mapping[str, JobDefinition]
    files: tuple[Path, ...]  # the main file first
    places: Places = field(repr=False, compare=False)
    profiles: Mapping[str, Table] = field(default_factory=dict, repr=False)  # those that are used, and the user's own
    ground: bytes = field(default=b"", repr=False, compare=False)  # what all jobs stand on: see `kept`

    @cached_property
    def hash(self) -> str:
        """SHA-256, hexadecimal, of what the configuration says, however that is written and wherever it lies."""
        digest = hashlib.sha256()
        for part in self._parts():
            digest.update(f"{part}\n".encode())
        return digest.hexdigest()

    def _parts(self) -> Iterator[str]:
        for section in (self.worker, self.database, self.vault, self.log, self.network, self.retention, self.defaults):
            yield section.model_dump_json()
        for kind in (self.accounts, self.databases):
            for name, options in sorted(kind.items()):
                yield f"{name} {options.model_dump_json()}"
        for name, job in sorted(self.jobs.items()):
            yield f"{name} {job.hash}"

    def where(self, key: str) -> tuple[Path, int] | None:
        """Returns file and line of a dotted key, or of the nearest table around it; None if no file holds it."""
        place = self._place(key)
        return (place.file, place.line) if place and place.file and place.line else None

    def problem(self, key: str, message: str) -> Problem:
        """Returns a problem with a dotted key, at the place where that was written."""
        place = self._place(key)
        if place is None:
            return Problem(self.files[0], None, key, message)
        return Problem(place.file, place.line, place.key, message)

    def _place(self, key: str) -> Place | None:
        path: tuple[Any, ...] = undotted(key)
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path)
