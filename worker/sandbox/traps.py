"""The habits of real APIs that a sandbox takes on when told to; all are off at first (apis.md 1.4 to 2.6)."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

HEAVY = ("cancelled", "partial", "cut", "hang", "504")


@dataclass(slots=True)
class Traps:
    """The switches of one sandbox; `set` changes them while it runs."""

    # Every API whose path begins with `gate_path`.
    gate_path: str = "/api/now/"
    latency_s: float = 0.0  # every answer takes so long
    parallel: int = 0  # requests at once; what is more gets 202 and no body
    rate_limit: int = 0  # requests per window; what is more gets 429
    rate_window_s: float = 3600.0
    rate_headers: bool = True  # X-RateLimit-* with each answer, Retry-After with a 429
    url_limit: int = 8190  # characters of path and query; what is longer gets 414
    heavy_rows: int = 0  # a page with more rows than this is too much:
    heavy: str = "cancelled"  # one of HEAVY
    hang_s: float = 30.0  # how long `hang` lets a caller wait

    # Table API.
    hide_where: str = ""  # encoded query: rows that access rules hide, yet count
    hide_first: int = 0  # the first so many rows by key are hidden too
    hide_keys: frozenset[str] = frozenset()
    blank_where: str = ""  # encoded query: rows that come as {}
    blank_every: int = 0  # each n-th row comes as {}
    shuffle: bool = False  # rows that the ORDERBY leaves equal come in another order with each request
    no_rows_on_invalid_query: bool = False  # glide.invalid_query.returns_no_rows
    drop_fields: tuple[str, ...] = ()  # fields that conditions and ORDERBY do not know; rows show them all the same
    audit_deletes: bool = True  # sys_audit_delete is told of deletions

    # Import Set API.
    import_polls: int = 0  # rows of insertMultiple stay pending for so many looks at them
    import_batch: int = 0  # and are then processed so many per look; 0: all at once
    import_hidden: bool = False  # the row is taken, the answer is 201 without a body
    import_labels: bool = False  # insertMultiple knows labels ("Serial" for u_serial) and ignores names

    # Tangoe-style and generic APIs.
    link_host: str = ""  # scheme and host of links in answers, such as https://tngo--mobproc.example
    forget_keys: bool = False  # the generic API takes no notice of Idempotency-Key
    no_content: bool = False  # a page without rows is 204 without a body
    cap: int = 0  # rows of a generic page at most, whatever is asked
    loop: bool = False  # the next page of a generic page is that page itself
    deaf: bool = False  # the generic API takes no notice of page, offset and cursor
    snap: bool = False  # the generic API too gives the page that holds the offset
    slice_days: float = 0.0  # /slices refuses a span that is longer
    feed_page: int = 0  # rows of a page of /feed at most, whatever is asked
    feed_strict: bool = False  # page tokens run out together with the sync tokens

    changes: int = 0  # counts changes: pages kept for an older one are stale

    def set(self, changed: Mapping[str, object]) -> None:
        """Changes switches; raises ValueError for a name or a value that is none, and then changes nothing."""
        plain = {one.name: getattr(Traps(), one.name) for one in fields(Traps) if one.name != "changes"}
        ready = {}
        for name, value in changed.items():
            if name not in plain:
                msg = f"traps: unknown {name!r}; known are {', '.join(plain)}"
                raise ValueError(msg)
            ready[name] = _fitting(name, value, plain[name])
        for name, value in ready.items():
            setattr(self, name, value)
        self.changes += 1


def _fitting(name: str, value: object, plain: object) -> object:
    """Returns the value in the type of the plain one; raises ValueError."""
    if isinstance(plain, frozenset | tuple) and isinstance(value, list | tuple | set | frozenset):
        return type(plain)(str(one) for one in value)
    if isinstance(plain, float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    wrong = type(value) is not type(plain) or (isinstance(value, int | float) and value < 0)
    if wrong or (name == "heavy" and value not in HEAVY):
        kind = f"one of {', '.join(HEAVY)}" if name == "heavy" else f"{type(plain).__name__}, not below zero"
        msg = f"traps: {name} must be {kind}; found {value!r}"
        raise ValueError(msg)
    return value


@dataclass(slots=True)
class Gate:
    """What the limits count: requests under way, and requests of the window that runs."""

    under_way: int = 0
    most: int = 0  # requests that were under way at once
    passed: int = 0
    ends: float | None = None  # of the window, on the monotonic clock
