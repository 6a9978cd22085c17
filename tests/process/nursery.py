"""Starts `worker` as a child process, mostly as a fork of one that has it all imported, which costs a quarter.

The fork runs `python -m worker` from its first line to the interpreter's end. What the interpreter or the linker reads
of the environment as they start is not for a fork: such a process is started from nothing.
"""

import atexit
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Protocol

import orjson

_ROOT = Path(__file__).parents[2]
_AT_START = dict(os.environ)  # before any test changed it
_READ_BY_THE_INTERPRETER = ("PYTHON", "LD_", "MALLOC_")


class Process(Protocol):
    """What a test does with a child process: what Popen offers of it."""

    pid: int

    def poll(self) -> int | None:
        """Returns the exit code; None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Returns the exit code once it has ended; raises TimeoutExpired."""

    def send_signal(self, sig: int) -> None:
        """Sends a signal, unless it has ended."""

    def kill(self) -> None:
        """Sends KILL, unless it has ended."""


class Fork:
    """A forked process; `told` is where its guardian writes its number and, at the end, its exit code."""

    def __init__(self, told: IO[bytes]) -> None:
        self._told = told
        self._code: int | None = None
        self.pid = int(told.readline())

    def poll(self) -> int | None:
        """Returns the exit code; None while it runs."""
        return self._ended_within(0.0)

    def wait(self, timeout: float | None = None) -> int:
        """Returns the exit code once it has ended; raises TimeoutExpired."""
        code = self._ended_within(timeout)
        if code is None:
            raise subprocess.TimeoutExpired("worker", timeout or 0.0)
        return code

    def send_signal(self, sig: int) -> None:
        """Sends a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, sig)

    def kill(self) -> None:
        """Sends KILL, unless it has ended."""
        self.send_signal(signal.SIGKILL)

    def _ended_within(self, timeout: float | None) -> int | None:
        if self._code is None and select.select([self._told], [], [], timeout)[0]:
            self._code = int(self._told.readline())
            self._told.close()
        return self._code


@cache
def _cradle() -> socket.socket:
    """Starts the process that forks; it ends with this one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        command = [sys.executable, "-m", "tests.process.cradle", str(theirs.fileno())]
        process = subprocess.Popen(
            command, cwd=_ROOT, env=_AT_START, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()]
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def start(arguments: Sequence[str], out: IO[bytes], err: IO[bytes], environment: Mapping[str, str]) -> Process:
    """Starts `worker` with these arguments, what it writes going to `out` and `err`."""
    if not _may_fork(environment):
        command = [sys.executable, "-m", "worker", *arguments]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment)
    reading, writing = os.pipe()
    order = {"arguments": arguments, "environment": environment, "folder": os.getcwd()}  # noqa: PTH109  as it is told
    socket.send_fds(_cradle(), [orjson.dumps(order)], [writing, out.fileno(), err.fileno()])
    os.close(writing)
    return Fork(os.fdopen(reading, "rb", buffering=0))


def _may_fork(environment: Mapping[str, str]) -> bool:
    names = {name for name in {*environment, *_AT_START} if name.startswith(_READ_BY_THE_INTERPRETER)}
    return all(environment.get(name) == _AT_START.get(name) for name in names)
