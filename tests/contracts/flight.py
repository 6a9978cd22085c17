"""One process of the single-flight tests: threads that ask one keeper for a token, all at once.

Tells for each caller the generation it got, or the error's name.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

from jobs.contract import WorkerError
from tests.auth.keeping import WHO, Desk
from tests.contracts.grantkinds import KINDS, account_of, pin_points
from worker.auth import custom, endpoint
from worker.auth.keeper import Keeper
from worker.auth.leases import Leases
from worker.auth.refresh import Refresh
from worker.store.database import open_database
from worker.store.writer import Writer
from worker.wire.line import Line

STEPS: dict[str, tuple[object, str]] = {  # of a refresh: what a process that dies there does not come to do
    "before the lease is taken": (Leases, "take"),
    "before the request is sent": (Line, "send"),
    "before the answer is read": (endpoint, "read_answer"),
    "before the token is stored": (Leases, "save"),
    "after the token is stored": (Refresh, "_tell"),
}


def ask_together(keeper: Keeper, callers: int, rejected: int | None) -> list[int | str]:
    """Asks from so many threads at the same instant."""
    barrier = threading.Barrier(callers)

    def ask(_: int) -> int | str:
        barrier.wait()
        try:
            return keeper.token(rejected).generation
        except WorkerError as error:
            return type(error).__name__

    with ThreadPoolExecutor(callers) as pool:
        return list(pool.map(ask, range(callers)))


def report(error: Exception) -> None:
    """Shows the writer's trouble."""
    sys.stderr.write(f"{error}\n")


def die(*_: object) -> NoReturn:
    """Ends this process as `kill -9` does."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("killed")


def main(orders: dict[str, Any], ready: Callable[[], None]) -> list[int | str]:
    """Does as ordered."""
    database = open_database(orders["database"])
    writer = Writer(database, report)
    writer.start()
    desk = Desk(database, writer, orders["url"])
    account = desk.account(password=orders.get("password", WHO.tangoe_password))
    if "kind" in orders:
        vars(custom)["entry_points"] = pin_points
        account = account_of(KINDS[orders["kind"]], orders["url"], orders["secrets"])
    keeper = desk.keeper(account, lease_s=orders.get("lease_s", 30.0))
    if "dies" in orders:
        room, name = STEPS[orders["dies"]]
        setattr(room, name, die)
    ready()
    told = ask_together(keeper, orders["callers"], orders.get("rejected"))
    desk.close()
    writer.stop()
    database.close()
    return told
