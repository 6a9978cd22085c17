"""Where log lines go: a file descriptor or a stream, neither of which may ever harm who logs."""

import os
import threading
from pathlib import Path
from typing import IO

from worker.model.errors import ConfigurationError, Problem

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC


class Outlet:
    """Takes whole lines; `dropped` counts those that a full disk, a closed pipe or a closed stream refused.

    Descriptors are written to directly: a buffer would keep refused lines and fail once more when the process
    ends.
    """

    def __init__(self, descriptor: int | None, stream: IO[str] | None = None, *, owned: bool = False) -> None:
        self.dropped = 0
        self._descriptor = descriptor
        self._stream = stream
        self._owned = owned
        self._torn = False
        self._lock = threading.RLock()  # a signal handler may log while the thread it interrupts does

    def write(self, line: bytes) -> None:
        """Writes one line, which ends in a newline, or counts it as dropped; raises nothing for that."""
        with self._lock:
            try:
                if self._descriptor is not None:
                    self._put(self._descriptor, line)
                elif self._stream is not None:
                    self._stream.write(line.decode("utf-8", "replace"))
                    self._stream.flush()
                else:
                    self.dropped += 1
            except (OSError, ValueError):  # ValueError: the stream is closed
                self.dropped += 1

    def reopen(self) -> None:
        """Opens the file anew under its name; goes on with the old one where that fails."""

    def close(self) -> None:
        """Gives the file back; lines that still come are dropped."""
        with self._lock:
            if self._owned and self._descriptor is not None:
                os.close(self._descriptor)
            self._descriptor = self._stream = None

    def _put(self, descriptor: int, line: bytes) -> None:
        data = b"\n" + line if self._torn else line  # what a full disk cut off must not swallow this line
        written = os.write(descriptor, data)
        while written < len(data):
            self._torn = True
            written += os.write(descriptor, data[written:])
        self._torn = False


def open_outlet(file: Path | None, stream: IO[str]) -> Outlet:
    """Returns the outlet for a file, or for a stream where no file is named; raises ConfigurationError."""
    if file is None:
        return Outlet(_descriptor(stream), stream)
    try:
        return Outlet(os.open(file, _FLAGS, 0o600), owned=True)
    except OSError as error:
        problem = f"{file} cannot be opened ({error.strerror}); name one in a folder that the worker may write to"
        raise ConfigurationError([Problem(None, None, "log.file", problem)]) from None


def _descriptor(stream: IO[str]) -> int | None:
    try:
        stream.flush()  # what was printed before stays before
        return stream.fileno()
    except (OSError, ValueError, AttributeError):  # in memory, or none at all
        return None
