"""What an engine is: the place that executes runs, and knows them by nothing but their id."""

from typing import Protocol


class Engine(Protocol):
    """Executes runs that are stored as queued; a run it does not reach stays queued in the ledger."""

    @property
    def busy(self) -> int:
        """Runs being executed now, in this process."""

    @property
    def waiting(self) -> int:
        """Runs submitted and not begun, in this process."""

    def start(self) -> None:
        """Begins to execute what is submitted."""

    def submit(self, run_id: int, priority: int = 0) -> None:
        """Hands over a queued run; a repeat while the run waits or is executed changes nothing.

        Of those that wait the one with the highest priority is begun first, then the one submitted first.
        """

    def write_off(self, run_id: int) -> None:
        """Counts a run as ended whose execution does not come back: it may be submitted again, its place is free."""

    def stop(self, timeout_s: float) -> bool:
        """Begins nothing more and waits for what is executed; returns False if the time ran out first."""
