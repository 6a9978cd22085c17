"""Where log lines go: a file descriptor or a stream, neither of which may ever harm or hold up who logs.

Whoever logs writes the line itself, while nothing waits and the descriptor takes it at once: what was told has then
left the process, and a kill -9 does not take it back. Who tells many things at a stroke may `gather` them: those that
are not out yet go with the process. What is not taken at once (a reader that stopped, a terminal that is held) waits in
a bounded queue for a thread that writes it later; beyond the bound lines are dropped and counted.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from worker.model.errors import ConfigurationError, Problem
from worker.watch.sink import Sink

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
_MOST = 4 * 1024**2  # bytes that may wait
_LOOK_EVERY_S = 0.5  # at a descriptor that takes nothing
LAST_WORDS_S = 1.0


class Outlet:
    """Takes whole lines; `dropped` counts those that a full disk, a closed pipe or a full queue refused.

    Descriptors are written to directly: a buffer would keep refused lines and fail once more when the process ends.
    `tell`, handed a number of lines lost, returns the line that says so; it goes out as soon as lines do again.
    """

    def __init__(self, sink: Sink | None, stream: IO[str] | None = None, file: Path | None = None) -> None:
        self.dropped = 0
        self.tell: Callable[[int], bytes] | None = None
        self._sink, self._stream, self._file = sink, stream, file
        self._torn = False  # the last line out has no end
        self._untold = 0  # lines dropped that no line told of yet
        self._gatherer: int | None = None  # the thread whose lines are gathered
        self._gathered: list[bytes] = []
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._lock = threading.RLock()  # a signal handler may log while its thread does
        self._changed = threading.Condition(self._lock)
        self._thread: threading.Thread | None = None

    @property
    def waiting(self) -> int:
        """How many lines wait to be written."""
        return len(self._queue)

    def write(self, line: bytes) -> None:
        """Writes one line, which ends in a newline, queues it or counts it as dropped; never waits, never raises."""
        with self._lock:
            self._gathered.append(line)
            if self._gatherer != threading.get_ident():
                self._send()

    @contextmanager
    def gather(self) -> Iterator[None]:
        """Writes the lines of this thread together at the end, or with the next line of another one: in their order.

        A write takes longer than to make a line, and lets other threads have the processor. Of two threads that gather
        at once one does.
        """
        with self._lock:
            mine = self._gatherer is None
            if mine:
                self._gatherer = threading.get_ident()
        try:
            yield
        finally:
            if mine:
                with self._lock:
                    self._gatherer = None
                    self._send()

    def flush(self) -> None:
        """Writes now what another thread gathers."""
        if self._gathered:
            with self._lock:
                self._send()

    def reopen(self) -> None:
        """Opens the file anew under its name, as after a rotation; raises OSError and goes on with the old one."""
        if self._file is None:
            return
        anew = Sink(os.open(self._file, _FLAGS, 0o600), owned=True)
        with self._changed:
            before, self._sink = self._sink, anew
            self._torn = False
        if before is not None:
            before.close()

    def close(self, patience_s: float = LAST_WORDS_S) -> None:
        """Writes what waits, for at most so long, and gives the file back; lines that still come are dropped."""
        with self._changed:
            self._send()
            self._changed.wait_for(lambda: not self._queue, patience_s)
            self.dropped += len(self._queue)
            self._queue.clear()
            before, self._sink, self._stream = self._sink, None, None
            self._changed.notify_all()
        if before is not None:
            before.close()

    def _send(self) -> None:
        """Writes what was gathered, queues it or counts it as dropped."""
        lines, self._gathered = self._gathered, []
        if not lines:
            return
        if self._sink is None:
            self._to_stream(lines)
        elif self._untold and not self._queue and not self._says_dropped(self._sink):
            self._drop(len(lines))
        else:
            self._drop(self._put(self._sink, lines))

    def _to_stream(self, lines: Sequence[bytes]) -> None:
        for line in lines:
            if self._stream is None:
                self._drop()
                continue
            try:
                self._stream.write(line.decode("utf-8", "replace"))
                self._stream.flush()
            except (OSError, ValueError):  # ValueError: the stream is closed
                self._drop()

    def _drop(self, lines: int = 1) -> None:
        self.dropped += lines
        self._untold += lines

    def _put(self, sink: Sink, lines: Sequence[bytes]) -> int:
        """Writes lines, queues what of them is not taken now, behind what waits, and returns how many were refused."""
        first, begun = lines[0], False
        if self._torn and not self._queue:  # what a full disk cut off must not swallow it
            first = b"\n" + first
        left = deque([first, *lines[1:]])
        while left:
            try:
                taken = None if self._queue else sink.write(b"".join(left))
            except OSError:
                return len(left)
            if taken is None:
                self._enqueue(left.popleft(), begun=begun)
                for line in left:
                    self._enqueue(line)
                return 0
            begun = self._torn = _strip(left, taken)
        return 0

    def _enqueue(self, data: bytes, *, begun: bool = False) -> None:
        """Lets a line wait, or drops it where too much waits; the rest of one whose beginning is out always waits."""
        if self._queued_bytes + len(data) > _MOST and not begun:
            self._drop()
            return
        self._queue.append(data)
        self._queued_bytes += len(data)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="log", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _says_dropped(self, sink: Sink) -> bool:
        """Tells of the lines that were dropped; returns whether it could."""
        untold, self._untold = self._untold, 0
        refused = bool(self._put(sink, [self.tell(untold)])) if self.tell else False
        if refused:
            self._untold += untold
        return not refused

    def _work(self) -> None:
        """Writes what waits whenever something is taken."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._sink is None)
                sink = self._sink
            if sink is None:
                return
            sink.wait(_LOOK_EVERY_S)
            with self._changed:
                if self._sink is sink:
                    self._drain(sink)

    def _drain(self, sink: Sink) -> None:
        while self._queue:
            data = self._queue[0]
            try:
                taken = sink.write(data)
            except OSError:  # nobody reads any more
                taken = len(data)
                self._drop()
            if taken is None:
                return
            self._queue.popleft()
            self._queued_bytes -= taken
            self._torn = taken < len(data)
            if self._torn:
                self._queue.appendleft(data[taken:])
        if self._untold:
            self._says_dropped(sink)
        self._changed.notify_all()


def _strip(lines: deque[bytes], taken: int) -> bool:
    """Takes so many bytes off the lines; returns whether the first that is left has lost its beginning."""
    while lines and taken >= len(lines[0]):
        taken -= len(lines.popleft())
    if taken:
        lines[0] = lines[0][taken:]
    return bool(taken)


def open_outlet(file: Path | None, stream: IO[str]) -> Outlet:
    """Returns the outlet for a file, or for a stream where no file is named; raises ConfigurationError."""
    if file is None:
        return Outlet(_sink(stream), stream)
    try:
        return Outlet(Sink(os.open(file, _FLAGS, 0o600), owned=True), file=file)
    except OSError as error:
        problem = f"{file} cannot be opened ({error.strerror}); name one in a folder that the worker may write to"
        raise ConfigurationError([Problem(None, None, "log.file", problem)]) from None


def _sink(stream: IO[str]) -> Sink | None:
    try:
        stream.flush()  # what was printed before stays before
        return Sink(stream.fileno())
    except (OSError, ValueError, AttributeError):  # in memory, or none at all
        return None
