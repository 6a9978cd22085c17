"""How many examples a property is tried with: a third in `make test`, all of them in `make test-slow`."""

import os

_ALL = os.environ.get("TEST_EXAMPLES") == "all"


def examples(count: int) -> int:
    """Returns how many of so many examples are tried."""
    return count if _ALL else count // 3
