"""The watchdog: who is late is cut, who is not is left alone."""

import socket

import pytest

from worker.wire.watchdog import Watchdog, current


def test_late_call_is_cut_and_others_are_not() -> None:
    """One pass cuts the connection of the late call only."""
    dog = Watchdog()
    near, far = socket.socketpair()
    with near, far, dog.watch(3600.0) as watch:
        watch.hold(near)
        assert dog.once() == 0
        far.sendall(b"x")
        assert near.recv(1) == b"x"
        watch.due = 0.0
        assert dog.once() == 1
        assert watch.expired
        assert near.recv(1) == b""


def test_socket_taken_too_late_is_cut_at_once() -> None:
    """A connection that comes about after the deadline is of no use to the call."""
    near, far = socket.socketpair()
    with near, far, Watchdog().watch(3600.0) as watch:
        watch.expire()
        watch.hold(near)
        assert near.recv(1) == b""


def test_duplicate_outlives_the_original() -> None:
    """A new connection is cut though its first socket object is gone, as after a TLS handshake; nothing leaks."""
    near, far = socket.socketpair()
    with far, Watchdog().watch(3600.0) as watch:
        watch.hold_new(near)
        near.close()
        watch.expire()
        assert far.recv(1) == b""


def test_connection_given_back_is_left_alone() -> None:
    """Once let go, a connection belongs to the next call."""
    near, far = socket.socketpair()
    with near, far, Watchdog().watch(3600.0) as watch:
        watch.hold(near)
        watch.let_go()
        watch.expire()
        far.sendall(b"x")
        assert near.recv(1) == b"x"


def test_current_watch_is_that_of_the_call() -> None:
    """A connection finds the watch over it; outside a call there is none."""
    dog = Watchdog()
    with dog.watch(1.0) as outer:
        with dog.watch(1.0) as inner:
            assert current() is inner
        assert current() is outer
    with pytest.raises(LookupError):
        current()


def test_finished_calls_are_forgotten() -> None:
    """A call that has ended is looked after no more."""
    dog = Watchdog()
    with dog.watch(-1.0):
        pass
    assert dog.once() == 0
