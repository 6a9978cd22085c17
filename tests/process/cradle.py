"""A program that has all of `worker` imported, and for each order forks a process that runs it.

An order comes over a socket with three files: where its number and exit code are told, its output, its errors. Each
process has a guardian, a fork as well, whose child it is: so one knows how it ended, and none waits for another.
"""

import gc
import os
import pkgutil
import runpy
import signal
import socket
import sys
import threading
from importlib import import_module

import orjson

import jobs
import worker
from worker.model.moments import new_id

_MOST_BYTES = 1 << 20  # of an order
_APART = ("worker.sandbox", "worker.__main__")


def import_all() -> None:
    """Imports what a daemon or a verb may need; no module starts a thread, which a fork would lose."""
    for package in (worker, jobs):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.startswith(_APART):
                import_module(found.name)
    assert threading.active_count() == 1
    gc.freeze()


def carry_out(control: socket.socket) -> list[str]:
    """Forks for each order; returns in each fork with its arguments, and never in the process that forks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    guardians: list[int] = []
    while True:
        data, files, _, _ = socket.recv_fds(control, _MOST_BYTES, 3)
        guardians = [one for one in guardians if not os.waitpid(one, os.WNOHANG)[0]]
        if not data:
            sys.exit()
        if not (guardian := os.fork()):
            control.close()
            return _become(data, files)
        guardians.append(guardian)
        for file in files:
            os.close(file)


def _become(data: bytes, files: list[int]) -> list[str]:
    """Forks the process, whose guardian stays here; returns in the process."""
    told, *outputs = files
    if child := os.fork():
        _guard(child, told)
    os.close(told)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, file in enumerate(outputs, start=1):
        os.dup2(file, number)
        os.close(file)
    order = orjson.loads(data)
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["folder"])
    new_id._chance.seed()  # forks begin with one chance, and would make the same ids
    return list(order["arguments"])


def _guard(child: int, told: int) -> None:
    os.write(told, b"%d\n" % child)
    _, status = os.waitpid(child, 0)
    os.write(told, b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


if __name__ == "__main__":
    import_all()
    sys.argv[1:] = carry_out(socket.socket(fileno=int(sys.argv[1])))
    runpy.run_module("worker", run_name="__main__", alter_sys=True)
