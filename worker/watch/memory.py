"""How the process's memory is kept: few places for what many threads ask for, and few looks for cycles in it."""

import ctypes
import gc

_M_ARENA_MAX = -8  # of glibc's malloc.h
_COLLECTS = (50_000, 20, 50)  # objects more since the last time; then each so many of the younger generation
_ARENAS = 2  # at most 116 MB in place of 145, after 200,000 records were read twice in pages of 1,000 (2 cores)


def bound_arenas() -> bool:
    """Lets all threads allocate from two arenas; returns whether the C library knows such a bound, as glibc does.

    Of itself glibc gives threads up to eight arenas a core. Each keeps what its largest page once took, and a run's
    threads come and go.
    """
    mallopt = getattr(_library(), "mallopt", None)
    return mallopt is not None and mallopt(ctypes.c_int(_M_ARENA_MAX), ctypes.c_int(_ARENAS)) == 1


def collect_seldom() -> None:
    """Lets the collector of cycles come more seldom.

    Modules, options and pages are made of thousands of objects that no cycle holds: by Python's own settings it would
    go through all of them again and again on their account, a tenth of the processor time of a start, and of a sync.
    """
    gc.set_threshold(*_COLLECTS)


def settle_heap() -> None:
    """Keeps the collector of cycles from what a start has built, which stays."""
    gc.collect()
    gc.freeze()
    collect_seldom()
    trim = getattr(_library(), "malloc_trim", None)
    if trim is not None:
        trim(ctypes.c_size_t(0))  # what a start took and needs no more goes back to the system


def _library() -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(None)  # what this process is linked with
    except (OSError, TypeError):  # TypeError: Windows
        return None
