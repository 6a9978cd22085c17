"""Who takes part, and how each is run: as a process of its own, whose result is checked before its figures count."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryFile

from benchmarks.sync.data import truth
from benchmarks.sync.places import held
from benchmarks.sync.spec import Spec

DEFAULT = -1  # pages ahead, where the worker's own default stands
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Contender:
    """One way to move the records; `ahead` is how many pages it fetches ahead without latency, and with."""

    name: str
    module: str
    variant: str = ""
    ahead: tuple[int, int] = (0, 0)
    peer: bool = False  # runs in the peers' environment
    again: tuple[str, ...] = ("sqlite", "postgresql")  # databases on which the re-run is measured
    changes: bool = False  # changed pages are measured, too


CONTENDERS = (
    Contender("limit", "bare", changes=True),
    Contender("limit, 4 pages ahead", "bare", ahead=(4, 4)),
    Contender("worker", "ours", ahead=(DEFAULT, 4), changes=True),
    Contender("Singer's SDK, tuned", "singer_peer", peer=True),
    Contender(
        "dlt, tuned", "dlt_peer", "tuned", peer=True, again=("postgresql",)
    ),  # quadratic on SQLite: 15 min and more
    Contender("dlt, tuned, append", "dlt_peer", "tuned append", peer=True, again=()),  # would double everything
    Contender("dlt, default", "dlt_peer", "default", peer=True, again=("postgresql",)),
)


@dataclass(frozen=True)
class Figures:
    """What one run took: seconds of its work, of its whole process, and of CPU in the process and its children."""

    work_s: float
    process_s: float
    cpu_s: float
    peak_mb: float  # of the largest process
    changes_s: tuple[float, ...] = ()


def run(contender: Contender, spec: Spec, python: str) -> Figures:
    """Runs a contender once; raises RuntimeError where it fails, or where the table does not hold what it should."""
    spec = replace(spec, variant=contender.variant)
    command = [python, "-m", f"benchmarks.sync.{contender.module}", spec.to_json()]
    begun = time.perf_counter()
    with TemporaryFile() as out, TemporaryFile() as err:
        process = subprocess.Popen(command, stdout=out, stderr=err, cwd=_ROOT)  # noqa: S603  ourselves
        _, status, usage = os.wait4(process.pid, 0)  # not Popen's own wait, which keeps what it cost to itself
        process.returncode = os.waitstatus_to_exitcode(status)
        process_s = time.perf_counter() - begun
        texts = [stream.seek(0) or stream.read() for stream in (out, err)]
    if process.returncode:
        raise RuntimeError(f"{contender.name} ended with {process.returncode}: {texts[1].decode()[-3000:]}")
    found, expected = held(spec.database), truth(spec.rows)
    if found != expected:
        raise RuntimeError(f"{contender.name} left {found} (rows, ids, sum), expected {expected}")
    told = json.loads(texts[0].splitlines()[-1])
    peak_mb = told["peak_mb"] or usage.ru_maxrss * 1024 / 1e6
    cpu_s = usage.ru_utime + usage.ru_stime
    return Figures(told["work_s"], process_s, cpu_s, peak_mb, tuple(told["changes_s"]))


def python_of(contender: Contender, peer_python: str) -> str:
    """Returns the interpreter it runs in."""
    return peer_python if contender.peer else sys.executable
