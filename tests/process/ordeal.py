"""What befalls daemons: deaths, pauses, storms of signals, clocks that jump, databases that go, a far end that errs."""

import random
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import psycopg
import sqlalchemy as sa

from tests.conftest import Server
from tests.process.house import Daemon, House
from tests.process.shims import WallClock
from worker.sandbox.faults import Fault

_HOUR_S, _DAY_S = 3600.0, 86400.0
_CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
_FAULTS = [
    lambda: Fault("status", path="/mobproc", status=503, times=2),
    lambda: Fault("drop", times=2),
    lambda: Fault("truncate", path="/mobproc", times=1),
    lambda: Fault("status", path="/as/token.oauth2", status=500, times=1),
    lambda: Fault("status", path="/mobproc", status=401, times=1),
    lambda: Fault("delay", seconds=0.5, times=4),
    lambda: Fault("lost_answer", path="/mobproc", times=1),
]


@dataclass
class Ordeal:
    """Daemons of one house, and what is done to them; everything is drawn from one seed."""

    house: House
    daemons: list[Daemon]
    chance: random.Random
    lease_s: float
    server: Server | None = None  # PostgreSQL; None: SQLite
    clock: WallClock | None = None
    latest_shift_s: float = 0.0
    done: list[str] = field(default_factory=list)

    def suffer(self, for_s: float) -> None:
        """Does one thing after the other, for so long."""
        until = time.monotonic() + for_s
        acts = self._acts()
        while time.monotonic() < until:
            act = self.chance.choice(acts)
            self.done.append(act.__name__.strip("_"))
            act()
            self._change()
            self._rest(0.5, 2.0)

    def heal(self) -> None:
        """Lets everything be well from here on."""
        self.house.sandbox.clear_faults()
        self._set_clock(0.0)
        for place, daemon in enumerate(self.daemons):
            daemon.go_on()
            if daemon.process.poll() is not None:
                self.daemons[place] = self.house.launch("run")
        for daemon in self.daemons:
            daemon.ready()

    def _acts(self) -> Sequence[Callable[[], None]]:
        either = [self._kill, self._kill, self._stop, self._pause, self._storm, self._err, self._err, self._lapse]
        if self.server is not None:
            return [*either, self._outlast, self._crash, self._cut]
        return [*either, self._lock, self._jump, self._jump]

    def _rest(self, least_s: float, most_s: float) -> None:
        time.sleep(self.chance.uniform(least_s, most_s))

    def _one(self) -> int:
        return self.chance.randrange(len(self.daemons))

    def _change(self) -> None:
        self.house.sandbox.churn(3, "devices")
        self.house.sandbox.update("items", self.chance.choice(self.house.sandbox.ids("items")))

    def _kill(self) -> None:
        place = self._one()
        self.daemons[place].kill()
        self._rest(0.0, 0.5)
        self.daemons[place] = self.house.launch("run")

    def _stop(self) -> None:
        place = self._one()
        self.daemons[place].ask_to_leave()
        self.daemons[place].left(60)
        self.daemons[place] = self.house.launch("run")

    def _paused(self, for_s: float) -> None:
        daemon = self.daemons[self._one()]
        daemon.pause()
        time.sleep(for_s)
        daemon.go_on()

    def _pause(self) -> None:
        self._paused(self.chance.uniform(0.1, self.lease_s / 2))

    def _outlast(self) -> None:
        self._paused(self.lease_s * self.chance.uniform(1.3, 2.0))

    def _storm(self) -> None:
        for _ in range(20):
            for daemon in self.daemons:
                if daemon.told("daemon.ready"):  # before, nobody minds the signal yet
                    daemon.process.send_signal(signal.SIGHUP)
            time.sleep(0.01)

    def _err(self) -> None:
        self.house.sandbox.fault(self.chance.choice(_FAULTS)())

    def _lapse(self) -> None:
        with suppress(Exception):  # the database may be away just then
            self.house.execute("UPDATE tokens SET refresh_at = issued_at")

    def _crash(self) -> None:
        if self.server is not None:
            self.server.crash()

    def _cut(self) -> None:
        url = sa.make_url(self.house.url)
        with psycopg.connect(url.set(database="postgres").render_as_string(), autocommit=True) as operator:
            operator.execute(_CUT, [url.database])

    def _lock(self) -> None:
        with suppress(Exception), self.house.database.write():
            self._rest(0.5, 2.0)

    def _jump(self) -> None:
        self._set_clock(self.chance.choice([0.0, _HOUR_S, -_HOUR_S, _DAY_S, -_DAY_S, 30.0, -30.0]))

    def _set_clock(self, shift_s: float) -> None:
        if self.clock is not None:
            self.clock.shift(shift_s)
