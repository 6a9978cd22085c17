"""How the process's memory is kept: few places for what many threads ask of the C library."""

import ctypes

_M_ARENA_MAX = -8  # of glibc's malloc.h
_ARENAS = 2  # at most 116 MB in place of 145, after 200,000 records were read twice in pages of 1,000 (2 cores)


def bound_arenas() -> bool:
    """Lets all threads allocate from two arenas; returns whether the C library knows such a bound, as glibc does.

    Of itself glibc gives threads up to eight arenas a core. Each keeps what its largest page once took, and a run's
    threads come and go.
    """
    mallopt = getattr(_library(), "mallopt", None)
    return mallopt is not None and mallopt(ctypes.c_int(_M_ARENA_MAX), ctypes.c_int(_ARENAS)) == 1


def _library() -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(None)  # what this process is linked with
    except (OSError, TypeError):  # TypeError: Windows
        return None
