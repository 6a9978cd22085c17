"""Threads that work side by side, in what they share with their starter and in how they end."""

import subprocess
import sys
import threading
from contextvars import ContextVar

import pytest

from jobs.crew import Crew

WHERE: ContextVar[str] = ContextVar("WHERE", default="nowhere")


def test_so_many_work_at_once_and_no_more() -> None:
    """Three meet at the barrier; a fourth thread is never hired."""
    barrier = threading.Barrier(3, timeout=20)
    with Crew(3, "crew") as crew:
        for _ in range(4):
            futures = [crew.submit(barrier.wait) for _ in range(3)]
            assert sorted(future.result(20) for future in futures) == [0, 1, 2]
        assert sum(thread.name.startswith("crew-") for thread in threading.enumerate()) == 3
    assert not any(thread.name.startswith("crew-") for thread in threading.enumerate())


def test_errors_and_context_variables_travel() -> None:
    """Work sees what its giver saw; what it raises is raised where the result is asked for."""
    WHERE.set("here")
    with Crew(1, "crew") as crew:
        assert crew.submit(WHERE.get).result(20) == "here"
        with pytest.raises(ZeroDivisionError):
            crew.submit(divmod, 1, 0).result(20)


def test_what_nobody_began_is_cancelled() -> None:
    """Leaving waits for the one under way only."""
    begun, go = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        assert go.wait(20)

    with Crew(1, "crew") as crew:
        first, second = crew.submit(work), crew.submit(pytest.fail, "it was cancelled")
        assert begun.wait(20)
        threading.Timer(0.05, go.set).start()
    assert first.done()
    assert second.cancelled()


def test_a_process_does_not_wait_for_a_thread_that_hangs() -> None:
    """The interpreter ends though one of the crew sleeps on."""
    program = "import time; from jobs.crew import Crew; Crew(1, 'crew').submit(time.sleep, 600); print('left')"
    assert (
        subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=True).stdout == b"left\n"
    )
