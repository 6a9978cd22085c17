"""Who takes part, and how each is run: as a process of its own, pinned or not, whose result is checked."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from benchmarks.runs.spec import Spec, Told

PINNED = max(os.sched_getaffinity(0))  # the CPU that all contenders get, one after the other; PostgreSQL is free
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Contender:
    """One way to run do-nothing jobs; `runs` is how many it gets in a round, `threads` with how many it runs them."""

    name: str
    module: str
    databases: tuple[str, ...]
    runs: int
    threads: int
    peer: bool = False  # runs in the peers' environment


BOTH = ("sqlite", "postgresql")
RATES = (
    Contender("limit: bare group commit", "bare", BOTH, 20_000, 64),
    Contender("worker", "ours", BOTH, 10_000, 64),
    Contender("Huey, fsync", "huey_peer", ("sqlite",), 2_000, 4, peer=True),
    Contender("APScheduler, SQLAlchemy store", "apscheduler_peer", BOTH, 1_000, 10, peer=True),
    Contender("Procrastinate", "procrastinate_peer", ("postgresql",), 1_000, 10, peer=True),
)
BURSTS = (
    Contender("worker", "ours", BOTH, 10_000, 64),
    Contender("APScheduler, SQLAlchemy store", "apscheduler_peer", ("sqlite",), 10_000, 10, peer=True),
)


def run(contender: Contender, spec: Spec, python: str, *, pinned: bool) -> Told:
    """Runs a contender once; raises RuntimeError where it fails or not every run is on record."""
    command = [python, "-m", f"benchmarks.runs.{contender.module}", spec.to_json()]
    pin: Callable[[], None] | None = (lambda: os.sched_setaffinity(0, {PINNED})) if pinned else None
    with TemporaryFile() as out, TemporaryFile() as err:
        done = subprocess.run(command, stdout=out, stderr=err, cwd=_ROOT, preexec_fn=pin, check=False)  # noqa: S603  ourselves, one thread
        texts = [stream.seek(0) or stream.read() for stream in (out, err)]
    if done.returncode:
        raise RuntimeError(f"{contender.name} ended with {done.returncode}: {texts[1].decode()[-3000:]}")
    told = json.loads(texts[0].splitlines()[-1])
    found = Told(**{**told, "claimed_s": tuple(told["claimed_s"]), "started_s": tuple(told["started_s"])})
    if found.runs != spec.runs:
        raise RuntimeError(f"{contender.name} has {found.runs} runs on record, expected {spec.runs}")
    return found


def python_of(contender: Contender, peer_python: str) -> str:
    """Returns the interpreter it runs in."""
    return peer_python if contender.peer else sys.executable
