"""What is odd about the configured schedules, at the places where they are written."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from worker.config.lines import dotted
from worker.config.load import Configuration
from worker.engine.lint import Finding, lint
from worker.model.errors import Problem


@dataclass(frozen=True)
class Warned:
    """One finding, and where a person would change it."""

    finding: Finding
    place: Problem

    def __str__(self) -> str:
        """Returns `file:line: key: warning: message`."""
        return str(self.place)

    @property
    def row(self) -> dict[str, Any]:
        """What a program reads: place, message, job, kind, and when it shows."""
        finding = {key: value for key, value in asdict(self.finding).items() if key != "key"}
        return {**asdict(self.place), **finding}


def find_odd(configuration: Configuration, now: datetime) -> list[Warned]:
    """Returns what is odd about the schedules within a year from `now`, in order of the jobs' names."""
    policies = {name: job.policy for name, job in configuration.jobs.items()}
    worker = configuration.worker
    return [_placed(configuration, one) for one in lint(policies, worker.timezone, worker.concurrency, now)]


def _placed(configuration: Configuration, finding: Finding) -> Warned:
    key = f"{dotted(('jobs', finding.job))}.{finding.key}"
    return Warned(finding, configuration.problem(key, f"warning: {finding.message}"))
