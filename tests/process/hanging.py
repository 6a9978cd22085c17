"""Jobs that never end, each held up where nothing in Python can reach it."""

import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from jobs.contract import Context


def in_a_lock(context: Context) -> None:
    """Waits for a lock that nobody opens."""
    context.log.info("hangs")
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def in_recv(context: Context) -> None:
    """Waits for bytes that never come."""
    context.log.info("hangs")
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.recv(1)


def in_c(context: Context) -> None:
    """Sleeps in the C library."""
    context.log.info("hangs")
    time.sleep(3600)


def in_a_pool(context: Context) -> None:
    """Waits for threads of its own, which the interpreter would join at its end."""
    context.log.info("hangs")
    with ThreadPoolExecutor(2) as pool:
        pool.submit(time.sleep, 3600)


def in_python(context: Context) -> None:
    """Heeds nothing and swallows what it is asked."""
    context.log.info("hangs")
    while True:
        re.match("a", "b")
