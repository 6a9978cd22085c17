"""What signals ask for is heard wherever they meet the process."""

import os
import signal
import threading
import time
from collections.abc import Callable

import pytest

from worker.daemon.signals import heard

pytestmark = pytest.mark.timeout(20)


def _from_another_thread() -> None:
    other = threading.Thread(target=lambda: signal.pthread_kill(threading.get_ident(), signal.SIGTERM))
    other.start()
    other.join()


def _from_outside() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize("come", [_from_outside, _from_another_thread])
def test_term_is_heard_by_whichever_thread_it_meets(come: Callable[[], None]) -> None:
    """The system may hand a signal to any thread; the one that waits learns of it."""
    with heard() as signals:
        late = threading.Timer(0.1, come)
        late.start()
        signals.wait()
        late.join()
    assert signals.name == "SIGTERM"


def test_term_that_came_before_the_wait_is_heard() -> None:
    """As in the very moment in which the daemon becomes ready."""
    with heard() as signals:
        _from_outside()
        signals.wait()
    assert signals.name == "SIGTERM"


def test_hup_before_there_is_an_action_is_kept() -> None:
    """A daemon that is still starting reloads once it works; the signal does not end it."""
    done = threading.Event()
    with heard() as signals:
        os.kill(os.getpid(), signal.SIGHUP)
        deadline = time.monotonic() + 5
        while not signals._early and time.monotonic() < deadline:
            threading.Event().wait(0.01)
        signals.on(signal.SIGHUP, done.set)
        assert done.wait(0)


def test_a_storm_is_no_queue_of_work() -> None:
    """What comes while an action is at work makes one more of it, not one for each."""
    begun, go, count = threading.Event(), threading.Event(), [0]

    def action() -> None:
        count[0] += 1
        begun.set()
        go.wait(10)

    with heard() as signals:
        signals.on(signal.SIGHUP, action)
        os.kill(os.getpid(), signal.SIGHUP)
        assert begun.wait(5)
        for _ in range(5_000):
            os.kill(os.getpid(), signal.SIGHUP)
        go.set()
    assert count[0] <= 3


def test_signals_are_given_back() -> None:
    """What handled them before does so again."""
    before = signal.getsignal(signal.SIGHUP)
    with heard():
        assert signal.getsignal(signal.SIGHUP) is not before
    assert signal.getsignal(signal.SIGHUP) == before
