"""A thread that does one thing again and again, until it is told to stop."""

import threading
from collections.abc import Callable


class Periodic:
    """Calls `once` every `period_s` seconds, measured from the end of one call to the start of the next.

    The first call comes `after_s` seconds after the start. An error of one pass is told to `on_error` and the next
    pass comes as if nothing had happened.
    """

    def __init__(
        self,
        name: str,
        period_s: float,
        once: Callable[[], object],
        on_error: Callable[[str, Exception], None],
        after_s: float = 0.0,
    ) -> None:
        self.once = once
        self._name, self._period_s, self._on_error, self._after_s = name, period_s, on_error, after_s
        self._wake = threading.Event()
        self._ending = False
        self._thread = threading.Thread(target=self._loop, name=name, daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def end(self) -> None:
        """Lets the thread end after the pass it is in, and waits for nothing."""
        self._ending = True
        self._wake.set()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Ends the thread after the pass it is in, and waits up to `timeout_s` for that."""
        self.end()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _loop(self) -> None:
        self._wait(self._after_s)
        while not self._ending:
            try:
                self.once()
            except Exception as error:  # noqa: BLE001  the thread must outlive whatever one pass meets
                self._on_error(self._name, error)
            self._wait(self._period_s)

    def _wait(self, seconds: float) -> None:
        self._wake.wait(seconds)
        self._wake.clear()
