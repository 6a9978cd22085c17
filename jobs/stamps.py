"""A page's times at once, where all have the form that nearly all APIs use: `2026-01-31T08:00:00Z`."""

import re
from collections.abc import Sequence
from datetime import datetime

_LINES = re.compile(r"(?:....-..-..T..:..:..Z\n)+")  # fromisoformat looks for the digits


def whole_seconds(texts: Sequence[str]) -> list[datetime] | None:
    """Returns the times of texts in that form, in UTC; None where one has another form, or is no time."""
    if not _LINES.fullmatch("\n".join(texts) + "\n"):
        return None
    try:
        return list(map(datetime.fromisoformat, texts))
    except ValueError:
        return None


def with_microseconds(texts: Sequence[str]) -> list[str]:
    """Returns texts in that form as `YYYY-MM-DDTHH:MM:SS.000000Z`; ask `whole_seconds` first."""
    return "\n".join(texts).replace("Z", ".000000Z").split("\n")
