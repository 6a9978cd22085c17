"""What USR1 asks for: how the parts stand and where every thread is, told as events; values of variables are not."""

import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from worker.model.events import DaemonState, ThreadState
from worker.model.moments import elapsed_s
from worker.watch.logs import Log
from worker.wiring.build import Worker

_FRAMES = 30  # the innermost ones
_PARTS = 3  # of a file's path


def dump(worker: Worker, log: Log) -> None:
    """Tells the figures, then one line for each thread; whoever asks may be any thread."""
    events = worker.ground.events
    events.emit(_state(worker, log))
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    for ident, frame in sorted(sys._current_frames().items()):  # noqa: SLF001  there is no other way to them
        events.emit(ThreadState(names.get(ident, "unknown"), ident, list(_places(frame))))


def _state(worker: Worker, log: Log) -> DaemonState:
    pool, now_s = worker.pool, elapsed_s()
    underway = worker.executor.underway()
    return DaemonState(
        jobs=len(worker.live.book().jobs),
        configuration=worker.live.current.configuration.hash,
        running=pool.busy,
        queued=pool.waiting,
        runs=[f"{one.started.run.job} {one.started.run.id} for {now_s - one.began_s:.1f} s" for one in underway],
        writes_waiting=worker.ground.writer.waiting,
        ticks_waiting=worker.clock.waiting,
        next_tick=worker.clock.next_tick(),
        log_waiting=log.waiting,
        log_dropped=log.dropped,
        threads=threading.active_count(),
    )


def _places(frame: FrameType | None) -> Iterator[str]:
    for _ in range(_FRAMES):
        if frame is None:
            return
        code = frame.f_code
        yield f"{'/'.join(Path(code.co_filename).parts[-_PARTS:])}:{frame.f_lineno} {code.co_qualname}"
        frame = frame.f_back
