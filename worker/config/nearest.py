"""The remedy for a misspelt name: the nearest known one."""

from collections.abc import Iterable
from difflib import get_close_matches

_MOST_LISTED = 24


def hint(word: str, known: Iterable[str]) -> str:
    """Returns `did you mean "x"?`, or the list of what is known where nothing is near."""
    names = sorted(set(known))
    by_lower = {name.lower(): name for name in names}
    near = get_close_matches(word.lower(), by_lower, n=1)
    if near:
        return f'did you mean "{by_lower[near[0]]}"?'
    if not names:
        return "none is known"
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    return f"known: {', '.join(names[:_MOST_LISTED])}{more}"
