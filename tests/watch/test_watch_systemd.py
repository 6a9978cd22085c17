"""The service manager hears what sd_notify(3) asks for."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from worker.watch.systemd import ServiceManager


class Manager:
    """The other end of $NOTIFY_SOCKET."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self.socket.setblocking(False)

    def heard(self) -> list[str]:
        """Returns what was sent since the last time."""
        found = []
        while True:
            try:
                found.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return found


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    """A manager that listens in the file system or in the abstract name space."""
    made = Manager(str(tmp_path / "notify") if request.param == "path" else f"@worker-test-{os.getpid()}-{id(request)}")
    yield made
    made.socket.close()


def test_ready_and_stopping_are_told(manager: Manager) -> None:
    """Each as one datagram."""
    told = ServiceManager.of({"NOTIFY_SOCKET": manager.address})
    told.starting(300)
    told.ready("4 jobs")
    told.stopping(40.5)
    assert manager.heard() == [
        "EXTEND_TIMEOUT_USEC=300000000",
        "READY=1\nSTATUS=4 jobs",
        "STOPPING=1\nSTATUS=drains\nEXTEND_TIMEOUT_USEC=40500000",
    ]


def test_the_watchdog_is_fed_at_half_its_time(manager: Manager) -> None:
    """However often the loop turns."""
    moments = [100.0, 101.0, 101.9, 102.0, 103.9, 104.1]
    told = ServiceManager(manager.address, 4.0, iter(moments).__next__)
    for _ in moments:
        told.beat(lambda: "fine")
    assert manager.heard() == ["WATCHDOG=1\nSTATUS=fine"] * 3


def test_without_a_watchdog_only_the_status_is_told(manager: Manager) -> None:
    """One that is meant for another process is none of ours."""
    environment = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "4000000", "WATCHDOG_PID": str(os.getpid() + 1)}
    ServiceManager.of(environment).beat(lambda: "fine")
    assert manager.heard() == ["STATUS=fine"]
    assert environment == {}


def test_a_reload_tells_its_moment(manager: Manager) -> None:
    """By the clock that systemd compares with."""
    ServiceManager.of({"NOTIFY_SOCKET": manager.address}).reloading()
    (told,) = manager.heard()
    assert told.startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert told.rpartition("=")[2].isdecimal()


def test_no_manager_and_one_that_is_gone_are_no_trouble(tmp_path: Path) -> None:
    """Nothing is sent, nothing is raised."""
    ServiceManager.of({}).ready("4 jobs")
    ServiceManager.of({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready("4 jobs")
    ServiceManager.of({}).beat(lambda: pytest.fail("the status is not asked for"))
