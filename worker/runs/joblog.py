"""What a job says, as events."""

from dataclasses import dataclass

from jobs.contract import Json
from worker.model.events import JobSaid, JobWarned
from worker.model.listening import Events


@dataclass(frozen=True)
class JobLog:
    """What a job says, as an event; implements jobs.contract.Log."""

    events: Events
    job: str
    run_id: int
    attempt: int

    def info(self, text: str, **facts: Json) -> None:
        """Tells something."""
        self.events.emit(JobSaid(self.job, self.run_id, self.attempt, text, facts or None))

    def warning(self, text: str, **facts: Json) -> None:
        """Tells something that somebody should look at."""
        self.events.emit(JobWarned(self.job, self.run_id, self.attempt, text, facts or None))
