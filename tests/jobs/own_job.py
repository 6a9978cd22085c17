"""Functions as a user would write them for the job type `python`."""

from datetime import date

from jobs.contract import Context, Skip

calls: list[tuple[str, date, int]] = []
NUMBER = 7


def main(context: Context, region: str, day: date, limit: int = 10) -> None:
    """Takes note of what it was called with."""
    calls.append((region, day, limit))
    with context.unit() as unit:
        unit.count(read=limit)


def many(context: Context, **params: int) -> None:
    """Takes whatever it is given."""
    calls.extend((name, date.min, value) for name, value in params.items())


def nothing(context: Context) -> None:
    """Has nothing to do."""
    raise Skip("nothing to do today")
