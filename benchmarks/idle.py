"""A daemon with many jobs and nothing to do: how soon it is ready, what it takes at rest, how soon it reloads.

    python benchmarks/idle.py [JOBS] [SECONDS]

Writes a configuration of JOBS jobs (10,000), none of them due while it looks, starts the real daemon, reads its figures
from /proc over SECONDS (30), then changes one job and sends HUP.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson

from worker.vault.keyring import create

_CONFIG = """\
include = ["jobs.d/*.toml"]

[database]
url = "sqlite:///worker.db"

[vault]
keys = { file = "worker.keys" }

[accounts.erp]
base_url = "https://erp.example.com"
grant = "api_key"
api_key = { env = "IDLE_API_KEY" }
"""

_JOB = """\
[jobs.job-{number:05d}]
type = "sync"
schedule = "{minute} {hour} 1 1 *"
timezone = "Europe/Berlin"
source = {{ account = "erp", path = "/v2/orders/{number}", records = "items" }}
destination = {{ table = "orders_{number}", key = ["id"] }}

"""
_FILES = 10
_TICKS_S = os.sysconf("SC_CLK_TCK")
_WITHIN_S = 120.0
_SETTLED_S = 20.0  # after the first heartbeat, which announces all next ticks, and the first look at the retention


def write(folder: Path, jobs: int, first_minute: int = 0) -> None:
    """Writes the configuration; `first_minute` is the only thing that differs between two of them, in one job."""
    (folder / "jobs.d").mkdir(exist_ok=True)
    (folder / "config.toml").write_text(_CONFIG)
    for part in range(_FILES):
        numbers = range(part * jobs // _FILES, (part + 1) * jobs // _FILES)
        minutes = {number: first_minute if number == 0 else number % 60 for number in numbers}
        texts = [_JOB.format(number=one, minute=minutes[one], hour=one % 24) for one in numbers]
        (folder / "jobs.d" / f"{part}.toml").write_text("".join(texts))


@contextmanager
def daemon(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Starts `worker run` in the folder, its log in a file there, and ends it."""
    command = [sys.executable, "-m", "worker", "run", "--config", str(folder / "config.toml")]
    environment = os.environ | {"IDLE_API_KEY": "idle-api-key-of-a-benchmark"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, env=environment)  # noqa: S603  ours
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def told(folder: Path, event: str, count: int = 1) -> float:
    """Waits until the log holds so many lines of an event; returns the seconds that took."""
    begun = time.monotonic()
    while True:
        lines = (folder / "log").read_bytes().rpartition(b"\n")[0].splitlines()
        if sum(orjson.loads(line)["event"] == event for line in lines) >= count:
            return time.monotonic() - begun
        if time.monotonic() - begun > _WITHIN_S:
            raise TimeoutError(event)
        time.sleep(0.01)


def cpu_s(pid: int) -> float:
    """Returns the processor time that a process has taken, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_S


def memory_mb(pid: int, which: str = "VmRSS") -> float:
    """Returns a process's resident memory."""
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(which)]
    return int(line.split()[1]) / 1024


def main(jobs: int = 10_000, seconds: float = 30.0) -> None:
    """Prints the figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        create(folder / "worker.keys")
        write(folder, jobs)
        for start in ("first start", "next start"):
            with daemon(folder) as process:
                ready_s = told(folder, "daemon.ready")
                print(f"{start:12} ready in {ready_s:6.2f} s, {cpu_s(process.pid):6.2f} s of CPU")
        with daemon(folder) as process:
            told(folder, "daemon.ready")
            time.sleep(_SETTLED_S)
            before, begun = cpu_s(process.pid), time.monotonic()
            time.sleep(seconds)
            share = (cpu_s(process.pid) - before) / (time.monotonic() - begun)
            print(f"at rest      {share:8.1%} of a core, {memory_mb(process.pid):6.0f} MB resident")
            write(folder, jobs, first_minute=59)
            before = cpu_s(process.pid)
            process.send_signal(signal.SIGHUP)
            reload_s = told(folder, "configuration.reloaded")
            used_s = cpu_s(process.pid) - before
            print(f"one changed  in force in {reload_s:6.2f} s, {used_s:6.2f} s of CPU")
            peak, now = memory_mb(process.pid, "VmHWM"), memory_mb(process.pid)
            print(f"afterwards   {now:6.0f} MB resident, {peak:6.0f} MB at most")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
