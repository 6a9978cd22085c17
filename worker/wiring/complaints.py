"""What goes wrong in a thread of the worker's own, told as events."""

from dataclasses import dataclass

from worker.model.events import TickDelayed, WorkerFailed
from worker.model.listening import Events
from worker.runs.outcome import describe


@dataclass(frozen=True)
class Complaints:
    """The error callbacks that the parts are handed; one method a part."""

    events: Events

    def part_failed(self, part: str, error: BaseException) -> None:
        """Tells that one pass of a part failed; the next one comes."""
        self.events.emit(WorkerFailed(part, describe(error)[1]))

    def writer_failed(self, error: Exception) -> None:
        """Tells that a batch could not be written; it is kept and tried again."""
        self.part_failed("writer", error)

    def run_failed(self, run_id: int, error: BaseException) -> None:
        """Tells that a run could not be started or ended; the ledger still has it."""
        self.part_failed(f"run {run_id}", error)

    def clock_failed(self, what: str, error: Exception) -> None:
        """Tells that due ticks could not be recorded; they are kept and offered again."""
        self.events.emit(TickDelayed(what, describe(error)[1]))
