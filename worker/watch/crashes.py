"""Exceptions that nobody caught: told as one sentence without local variables, where Python would print them raw."""

import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from worker.vault.redact import redact

EXIT_FAULT = 70  # sysexits EX_SOFTWARE

_FRAMES = 4  # the innermost ones
_PARTS = 3  # of a file's path
_LONGEST = 1000  # characters of the error's own text

Tell = Callable[[str, str], object]
"""Is handed the part that failed, and the sentence."""


def summary(error: BaseException) -> str:
    """Returns an exception as one line: its type, its text without secrets, and where it came from, innermost first."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    places = [f"{'/'.join(Path(one.filename).parts[-_PARTS:])}:{one.lineno} {one.name}" for one in reversed(frames)]
    text = " ".join(redact(str(error)).split())[:_LONGEST]
    return redact(f"{type(error).__name__}: {text}".removesuffix(": ") + f" (at {' < '.join(places) or 'no place'})")


@contextmanager
def hooked(tell: Tell) -> Iterator[None]:
    """Takes the place of the interpreter's hooks for the main thread, other threads and the collector's calls."""
    before = sys.excepthook, threading.excepthook, sys.unraisablehook

    def main_failed(_kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
        tell("main thread", summary(error))

    def thread_failed(given: threading.ExceptHookArgs) -> None:
        if given.exc_value is not None and not isinstance(given.exc_value, SystemExit):
            tell(f"thread {given.thread.name if given.thread else 'unknown'}", summary(given.exc_value))

    def unraisable(given: "sys.UnraisableHookArgs") -> None:
        if given.exc_value is not None:
            tell("clean-up", summary(given.exc_value))

    sys.excepthook, threading.excepthook, sys.unraisablehook = main_failed, thread_failed, unraisable
    try:
        yield
    finally:
        sys.excepthook, threading.excepthook, sys.unraisablehook = before
