"""One process of the test of fifty expiries: threads that call the API again and again until a generation is reached.

Tells how many calls went well, and the errors of the others.
"""

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from jobs.contract import WorkerError
from tests.auth.keeping import WHO, Desk, options
from tests.contracts.flight import report
from worker.calls.session import AccountApi, RunRef
from worker.store.database import open_database
from worker.store.writer import Writer

_PACE_S = 0.8  # between two calls of a thread: a call must not take as long as a token of this test lives


def calls_until(api: AccountApi, last: int, enough: threading.Event) -> tuple[int, list[str]]:
    """Returns the number of good calls, and the errors of the others."""
    bound = api.bind(RunRef("job", 1, 1, lambda: None, lambda: 60.0))
    good, errors = 0, []
    while not enough.wait(random.uniform(0.0, _PACE_S)):
        try:
            bound.request("GET", "/mobproc/v1/ping")
            good += 1
        except WorkerError as error:
            errors.append(f"{type(error).__name__}: {error}")
        if api.means.keeper.token().generation >= last:
            enough.set()
    bound.settle()
    return good, errors


def main(orders: dict[str, Any], ready: Callable[[], None]) -> tuple[int, list[str]]:
    """Does as ordered."""
    database = open_database(orders["database"])
    writer = Writer(database, report)
    writer.start()
    desk = Desk(database, writer, orders["url"])
    headers = {"X-TNGO-TENANT": WHO.tangoe_tenant, "client_id": "{client_id}"}
    account = desk.account(options(orders["url"], reject_statuses=[401, 403], headers=headers))
    api = AccountApi(account, desk.line(), desk.keeper(account), desk.events)
    ready()
    enough = threading.Event()
    with ThreadPoolExecutor(orders["threads"]) as pool:
        done = [pool.submit(calls_until, api, orders["last"], enough) for _ in range(orders["threads"])]
        found = [one.result() for one in done]
    desk.close()
    writer.stop()
    database.close()
    return sum(good for good, _ in found), [text for _, more in found for text in more]
