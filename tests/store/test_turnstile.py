"""The lock that is given in the order it was asked for."""

import threading
import time
from pathlib import Path
from typing import cast

import pytest

from worker.model.errors import StoreError
from worker.store.database import Database, open_database
from worker.store.turnstile import Turnstile, turnstile_of


def _await_line(turnstile: Turnstile, length: int) -> None:
    """Returns once so many threads stand in line."""
    deadline = time.monotonic() + 30
    while turnstile.waiting < length:
        assert time.monotonic() < deadline, "nobody joined the line"
        threading.Event().wait(0.001)


def test_who_comes_first_is_served_first() -> None:
    """Twenty threads enter in exactly the order in which they asked."""
    turnstile = Turnstile()
    served: list[int] = []

    def enter(number: int) -> None:
        with turnstile:
            served.append(number)

    threads = [threading.Thread(target=enter, args=(number,)) for number in range(20)]
    with turnstile:
        for place, thread in enumerate(threads, start=1):
            thread.start()
            _await_line(turnstile, place)
    for thread in threads:
        thread.join(30)
    assert served == list(range(20))


def test_a_writer_does_not_starve_behind_busy_ones(sqlite_database: Database) -> None:
    """A writer that comes fifth is served fifth, though the four before it come again at once, and again."""
    served: list[str] = []

    def write(name: str, times: int) -> None:
        for _ in range(times):
            with sqlite_database.write():
                served.append(name)

    threads = [threading.Thread(target=write, args=("page", 50)) for _ in range(4)]
    threads.append(threading.Thread(target=write, args=("ledger", 1)))
    turnstile = turnstile_of(sqlite_database.location)
    with sqlite_database.write():
        for place, thread in enumerate(threads, start=1):
            thread.start()
            _await_line(turnstile, place)
    for thread in threads:
        thread.join(30)
    assert served.index("ledger") == 4
    assert len(served) == 201


def test_entering_twice_is_an_error_and_no_deadlock(sqlite_database: Database) -> None:
    """A write inside a write of the same thread is told of at once, and the first one goes on."""
    with (
        sqlite_database.write(),
        pytest.raises(StoreError, match="inside another one"),
        sqlite_database.write(),
    ):
        pass
    with sqlite_database.write():
        pass


def test_one_file_has_one_turnstile_whatever_its_path(tmp_path: Path) -> None:
    """Two Database objects of one file, one through a symbolic link, stand in one line."""
    (tmp_path / "link").symlink_to(tmp_path)
    straight = open_database(f"sqlite:///{tmp_path}/a.db")
    linked = open_database(f"sqlite:///{tmp_path}/link/a.db")
    with straight.write(), pytest.raises(StoreError, match="inside another one"), linked.write():
        pass
    straight.close()
    linked.close()


class _InterruptedGate:
    """A gate at which somebody presses Ctrl-C."""

    def acquire(self) -> None:
        """Raises as the signal would."""
        raise KeyboardInterrupt


@pytest.mark.parametrize("handed", [False, True])
def test_an_interrupt_in_the_line_blocks_nobody(handed: bool) -> None:
    """Who is interrupted leaves the line, or hands on the lock that was just handed over."""
    turnstile = Turnstile()
    gate = cast("threading.Lock", _InterruptedGate())
    turnstile.__enter__()
    if not handed:
        turnstile._gates.append(gate)
    with pytest.raises(KeyboardInterrupt):
        turnstile._pass(gate)
    if not handed:
        turnstile.__exit__(None, None, None)
    assert turnstile.waiting == 0
    with turnstile:
        pass
