"""The daemon as process 1, as in a container: it passes signals on, buries the dead, and works in a child.

For process 1 no signal does what it does by default, and to it come all orphans.
"""

import os
import signal
from contextlib import suppress

_KEPT = frozenset({signal.SIGCHLD, signal.SIGKILL, signal.SIGSTOP, signal.SIGPIPE})
_FAULTS = frozenset({signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP, signal.SIGABRT})


def as_child_of_init() -> None:
    """Returns at once, but in process 1: there it returns in a child, and process 1 ends as that child does.

    To be called before any thread is started.
    """
    if os.getpid() != 1:
        return
    passed_on = signal.valid_signals() - _KEPT - _FAULTS
    signal.pthread_sigmask(signal.SIG_BLOCK, {*passed_on, signal.SIGCHLD})
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {*passed_on, signal.SIGCHLD})
        return
    os._exit(_attended(child, {*passed_on, signal.SIGCHLD}))


def _attended(child: int, signals: set[signal.Signals]) -> int:
    """Passes signals on to the child until it ends, and returns its exit code as a shell would have it."""
    while True:
        number = signal.sigwait(signals)
        if number != signal.SIGCHLD:
            with suppress(ProcessLookupError):
                os.kill(child, number)
            continue
        for pid, status in _dead():
            if pid == child:
                code = os.waitstatus_to_exitcode(status)
                return code if code >= 0 else 128 - code


def _dead() -> list[tuple[int, int]]:
    """Buries every child that has ended, own or adopted, and returns them."""
    found: list[tuple[int, int]] = []
    with suppress(ChildProcessError):
        while (one := os.waitpid(-1, os.WNOHANG))[0]:
            found.append(one)
    return found
