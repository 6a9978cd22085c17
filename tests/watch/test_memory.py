"""The bound on the C library's arenas, and the collector that leaves alone what stays."""

import platform
import subprocess
import sys
from types import SimpleNamespace

import pytest

from worker.watch import memory

_MEASURES = """
import ctypes, re, sys, tempfile, threading
from worker.watch.memory import bound_arenas

if sys.argv[1] == "bound":
    assert bound_arenas()
library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p
meeting = threading.Barrier(8)

def take():
    meeting.wait(30.0)
    library.malloc(10_000)  # larger than what Python keeps of its own
    meeting.wait(30.0)

threads = [threading.Thread(target=take) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
library.fopen.restype = ctypes.c_void_p
with tempfile.NamedTemporaryFile() as told:
    file = ctypes.c_void_p(library.fopen(told.name.encode(), b"w"))
    library.malloc_info(0, file)
    library.fclose(file)
    print(len(re.findall(rb"<heap nr=", told.read())))
"""


def arenas(how: str) -> int:
    """Returns the arenas of a process in which eight threads allocate at once."""
    done = subprocess.run([sys.executable, "-c", _MEASURES, how], capture_output=True, check=True, text=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library has no arenas")
@pytest.mark.process
def test_many_threads_share_two_arenas() -> None:
    """Without the bound there are more."""
    assert arenas("bound") <= 2 < arenas("free")


@pytest.mark.parametrize("library", [None, SimpleNamespace()])
def test_another_library_is_left_alone(library: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Musl has no mallopt, and some systems no such library."""
    monkeypatch.setattr(memory, "_library", lambda: library)
    assert not memory.bound_arenas()


def test_what_a_start_has_built_is_left_alone_by_the_collector() -> None:
    """It is frozen, and what comes afterwards is collected when much of it is there; in a process of its own."""
    program = (
        "import gc; from worker.watch.memory import settle_heap; settle_heap(); "
        "print(gc.get_freeze_count() > 1000, gc.get_threshold()[0])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    assert done.stdout.split() == ["True", "50000"]
