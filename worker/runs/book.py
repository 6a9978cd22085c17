"""The jobs this node knows: their definitions, who comes after whom, and the accounts they run under."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from worker.config.configuration import JobDefinition
from worker.model.schedules import After


@dataclass(frozen=True)
class Book:
    """Job definitions by name; replaced whole when the configuration changes."""

    jobs: Mapping[str, JobDefinition] = field(default_factory=dict)

    def get(self, name: str) -> JobDefinition | None:
        """Returns the definition of a configured job."""
        return self.jobs.get(name)

    @cached_property
    def followers(self) -> Mapping[str, tuple[JobDefinition, ...]]:
        """The jobs whose schedule is `after` a job, by that job's name."""
        found: dict[str, tuple[JobDefinition, ...]] = {}
        for job in self.jobs.values():
            if isinstance(job.policy.schedule, After):
                for parent in job.policy.schedule.after:
                    found[parent] = (*found.get(parent, ()), job)
        return found
