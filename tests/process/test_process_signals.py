"""A request to leave is heard wherever it meets the wait for it."""

import os
import signal
import sys
import threading
from types import FrameType

import pytest

from worker import daemon

pytestmark = pytest.mark.timeout(20)


class _Strike:
    """Raises TERM in this thread at the so-manieth line of a wait, unless one has come by then."""

    def __init__(self, line: int, asked: daemon._Asked) -> None:
        self._left = line
        self._asked = asked

    def __call__(self, frame: FrameType, event: str, _value: object) -> "_Strike | None":
        if frame.f_code.co_name != "wait":
            return None
        if event == "line":
            self._left -= 1
            if self._left == 0 and not self._asked.name:
                signal.raise_signal(signal.SIGTERM)
        return self


@pytest.mark.parametrize("line", range(1, 6))
def test_term_is_heard_at_every_line_of_the_wait(line: int) -> None:
    """Also where it comes in the very moment in which the daemon begins to wait: just after `daemon.ready`."""
    late = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM))
    with daemon._signals() as asked:
        late.start()  # for a wait of fewer lines
        before = sys.gettrace()
        sys.settrace(_Strike(line, asked))
        try:
            asked.wait()
        finally:
            sys.settrace(before)
        late.cancel()
        late.join()
        assert asked.name == "SIGTERM"


def test_term_is_heard_by_whichever_thread_it_meets() -> None:
    """The system may hand a signal to any thread; the one that waits learns of it."""
    with daemon._signals() as asked:
        other = threading.Thread(target=lambda: signal.pthread_kill(threading.get_ident(), signal.SIGTERM))
        late = threading.Timer(0.1, other.start)
        late.start()
        asked.wait()
        late.join()
        other.join()
    assert asked.name == "SIGTERM"
