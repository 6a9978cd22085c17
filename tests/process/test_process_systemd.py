"""A service manager starts the daemon, feeds on its beats and sees it leave."""

import socket

import pytest

from tests.process.house import DEVICES, House, wait_for

pytestmark = pytest.mark.process


def test_the_service_manager_follows_the_daemon(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """It hears of the start, of each turn of the clock's loop, and of the end, in that order."""
    address = str(house.folder / "notify")
    told: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.settimeout(0.05)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        monkeypatch.setenv("WATCHDOG_USEC", "400000")

        def hears(word: str) -> bool:
            try:
                told.append(manager.recv(4096).decode())
            except TimeoutError:
                return False
            return told[-1].startswith(word)

        house.configure(DEVICES)
        daemon = house.start()
        wait_for(lambda: hears("READY=1\nSTATUS=1 jobs"), "READY")
        for _ in range(3):
            wait_for(lambda: hears("WATCHDOG=1\nSTATUS=1 jobs"), "a beat")
        daemon.stop()
        wait_for(lambda: hears("STOPPING=1"), "STOPPING")
    assert told[0].startswith("EXTEND_TIMEOUT_USEC=")
