"""How many columns a table has room for; pure."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from jobs.contract import Record


def narrowed(rows: Sequence[Record], known: AbstractSet[str], most: int) -> tuple[list[Record], dict[int, str]]:
    """Returns rows that need `most` columns at most, with those that are `known`; and, by place, why one was cut.

    Earlier rows have the room. Rows that would need more are cut to the fields that have columns.
    """
    columns, kept, crowded = set(known), list[Record](), dict[int, str]()
    for place, row in enumerate(rows):
        new = {name for name, value in row.items() if value is not None} - columns
        if new and len(columns) + len(new) > most:
            crowded[place] = (
                f"has no room for {len(new)} new columns, as {most} are the most of a table: "
                "name in map the fields that are wanted"
            )
            kept.append({name: value for name, value in row.items() if name in columns})
        else:
            columns |= new
            kept.append(row)
    return kept, crowded
