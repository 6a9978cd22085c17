"""The sandbox as one object: serves HTTP on loopback from a thread and an event loop of its own."""

import asyncio
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from aiohttp import web

from worker.sandbox import tangoe
from worker.sandbox.app import application
from worker.sandbox.controls import Controls
from worker.sandbox.options import SandboxOptions
from worker.sandbox.paths import IDP
from worker.sandbox.rowcontrols import T
from worker.sandbox.state import State, new_state
from worker.sandbox.tls import TlsFiles, cut_off, server_context, write_files

_MAX_LINE = 64 * 1024  # bytes of a request line; the gate refuses long ones in the words of the API
_CHURN_STEP_S = 0.05
_GRACE_S = 0.1  # for answers still under way at the stop


class Sandbox(Controls):
    """A far end to try against; a context manager, and safe to control from any thread.

    Raises OSError from `start` when the port is taken.
    """

    def __init__(self, options: SandboxOptions | None = None) -> None:
        super().__init__(new_state(options or SandboxOptions()))
        self.options = self._state.options
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._over: asyncio.Event | None = None
        self._port = 0
        self._folder: TemporaryDirectory[str] | None = None
        self._files: TlsFiles | None = None

    @property
    def url(self) -> str:
        """Where it listens; raises RuntimeError before the start."""
        if not self._port:
            msg = "the sandbox has no URL before it is started"
            raise RuntimeError(msg)
        return f"{'https' if self.options.tls else 'http'}://{self.options.host}:{self._port}"

    @property
    def tangoe_url(self) -> str:
        """The base URL of the Tangoe-style API."""
        return self.url + tangoe.BASE

    @property
    def servicenow_url(self) -> str:
        """The base URL of the ServiceNow-style API."""
        return self.url

    @property
    def issuer(self) -> str:
        """The issuer of the IdP."""
        return self.url + IDP

    @property
    def tls(self) -> TlsFiles:
        """The files to call it with over https; raises RuntimeError without TLS, and when it is not running."""
        if self._files is None:
            msg = "the sandbox has TLS files only while it runs with options.tls"
            raise RuntimeError(msg)
        return self._files

    def start(self) -> Self:
        """Listens and serves; returns when requests are answered."""
        ready: Future[int] = Future()
        self._make_files()
        self._thread = threading.Thread(target=self._serve, args=(ready,), name="sandbox", daemon=True)
        self._thread.start()
        try:
            self._port = ready.result()
        except BaseException:
            self._thread.join()
            self._thread = None
            self._drop_files()
            raise
        return self

    def _make_files(self) -> None:
        if self.options.tls:
            self._folder = TemporaryDirectory(prefix="sandbox-tls-")
            self._files = write_files(Path(self._folder.name), self.options.host)

    def _drop_files(self) -> None:
        folder, self._folder, self._files = self._folder, None, None
        if folder is not None:
            folder.cleanup()

    def stop(self) -> None:
        """Closes every connection and ends the thread; a stopped sandbox can still be asked what happened."""
        loop, over, thread = self._loop, self._over, self._thread
        if thread is None:
            return
        # Who asks from here on acts in the asking thread instead of waiting for a loop that ends.
        self._loop = None
        if loop is not None and over is not None:
            loop.call_soon_threadsafe(over.set)
        thread.join()
        self._thread = self._over = None
        self._drop_files()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _do(self, act: Callable[[State], T]) -> T:
        loop = self._loop
        if loop is None or self._thread is threading.current_thread():
            return act(self._state)
        done: Future[T] = Future()

        def there() -> None:
            try:
                done.set_result(act(self._state))
            except BaseException as error:  # noqa: BLE001 - it belongs to the caller, in the other thread
                done.set_exception(error)

        loop.call_soon_threadsafe(there)
        return done.result()

    def _serve(self, ready: Future[int]) -> None:
        with asyncio.Runner() as runner:
            try:
                runner.run(self._listen(ready))
            except BaseException as error:
                if ready.done():
                    raise
                ready.set_exception(error)

    async def _listen(self, ready: Future[int]) -> None:
        runner = web.AppRunner(
            application(self._state),
            access_log=None,
            shutdown_timeout=_GRACE_S,
            handle_signals=False,
            max_line_size=_MAX_LINE,
        )
        await runner.setup()
        pace = None
        try:
            mutual = self.options.tls == "mutual"
            context = server_context(self._files, mutual=mutual) if self._files else None
            site = web.TCPSite(runner, self.options.host, self.options.port, ssl_context=context)
            await site.start()
            self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
            pace = asyncio.create_task(_churning(self._state)) if self.options.churn else None
            ready.set_result(int(runner.addresses[0][1]))
            await self._over.wait()
        finally:
            if pace is not None:
                pace.cancel()
            await runner.cleanup()
            if self.options.tls:
                await cut_off()


async def _churning(state: State) -> None:
    """Changes rows at the pace of the options, for ever."""
    clock = asyncio.get_running_loop().time
    begin, done = clock(), 0
    while True:
        due = int((clock() - begin) * state.options.churn)
        state.world.churn(due - done)
        done = due
        await asyncio.sleep(_CHURN_STEP_S)


def serve(options: SandboxOptions, announce: Callable[[Sandbox], None]) -> None:
    """Serves until SIGINT or SIGTERM; calls `announce` once when ready. Only for the main thread."""
    awaited = {signal.SIGINT, signal.SIGTERM}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, awaited)  # the sandbox's threads inherit it
    try:
        with Sandbox(options) as sandbox:
            announce(sandbox)
            signal.sigwait(awaited)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
