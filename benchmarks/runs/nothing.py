"""The do-nothing job; it notes when its code ran."""

import time

BEGAN: list[float] = []  # time.time()


def nothing(_context: object) -> None:
    """Does nothing."""
    BEGAN.append(time.time())
