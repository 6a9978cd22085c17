"""How long does one command take, whole process, beside what its libraries alone take to import?

`worker history` and others on a SQLite file with a million runs of a hundred jobs, and `worker run` with a hundred jobs
on an empty file, until it says daemon.ready. Each is the median of some rounds, as wall clock and as processor time;
the floor is a process that only imports SQLAlchemy with both dialects, pydantic, typer and rich.

    python -m benchmarks.cli [RUNS]
"""

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.million import JOBS, fill
from worker.store.database import open_database
from worker.store.schema import upgrade
from worker.vault.keyring import create

RUNS = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
ROUNDS = 5
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # images set it, and then each process compiles every file anew
FLOOR = (
    "import sqlalchemy, typer, rich.console, orjson\n"
    "from pydantic import BaseModel, Field\n"
    "from sqlalchemy.dialects import postgresql, sqlite\n"
)
CONFIG = """
[database]
url = "sqlite:///{database}"

[vault]
keys = {{ file = "worker.keys" }}

[accounts.erp]
base_url = "https://erp.example.com"
grant = "api_key"
api_key = {{ file = "api_key" }}
"""
JOB = """
[jobs.job-{number:02}]
type = "sync"
schedule = {{ every = "1d" }}
source = {{ account = "erp", path = "/v2/orders" }}
destination = {{ table = "orders_{number}", key = ["id"] }}
"""
WORKER = [sys.executable, "-m", "worker"]


def write(folder: Path, database: str) -> Path:
    """Writes a configuration with a hundred jobs and returns its path."""
    path = folder / f"{database}.toml"
    jobs = "".join(JOB.format(number=number) for number in range(JOBS))
    path.write_text(CONFIG.format(database=f"{database}.db") + jobs)
    return path


def furnish(folder: Path) -> None:
    """Writes the key ring and the secret that the configuration names."""
    create(folder / "worker.keys")
    key = folder / "api_key"
    key.touch(mode=0o600)
    key.write_text("nothing")


def used_s(pid: int) -> float:
    """Returns how much time of a processor a process has used, in seconds."""
    told = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(float, told[11:13])) / os.sysconf("SC_CLK_TCK")


def took(command: list[str]) -> tuple[float, float]:
    """Returns how long a command takes, in milliseconds: by the wall clock, and of a processor."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603  our own
    wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall * 1000, used * 1000


def ready(config: Path) -> tuple[float, float]:
    """Returns the same of a daemon until it works, then ends it; its processor time is that up to there."""
    begun = time.perf_counter()
    with subprocess.Popen([*WORKER, "run", "-c", str(config)], stdout=subprocess.PIPE) as daemon:  # noqa: S603  our own
        told = daemon.stdout or []
        next(line for line in told if b"daemon.ready" in line)
        wall = time.perf_counter() - begun
        used = used_s(daemon.pid)
        daemon.send_signal(signal.SIGTERM)
        daemon.communicate()
    return wall * 1000, used * 1000


def main() -> None:
    """Measures all in turns, so that what else the machine does falls on each alike."""
    with TemporaryDirectory(prefix="cli-") as name:
        folder = Path(name)
        furnish(folder)
        full, empty = write(folder, "full"), write(folder, "empty")
        database = open_database(f"sqlite:///{folder}/full.db")
        upgrade(database)
        fill(database, RUNS)
        database.close()
        contenders = {
            "imports alone": lambda: took([sys.executable, "-c", FLOOR]),
            "worker history": lambda: took([*WORKER, "history", "-c", str(full)]),
            "worker history job-07": lambda: took([*WORKER, "history", "job-07", "-c", str(full)]),
            "worker history, failed": lambda: took([*WORKER, "history", "--state", "failed", "-c", str(full)]),
            "worker jobs": lambda: took([*WORKER, "jobs", "-c", str(full)]),
            "worker explain job-07": lambda: took([*WORKER, "explain", "job-07", "-c", str(full)]),
            "worker run, ready": lambda: ready(empty),
        }
        rounds = [{name: measure() for name, measure in contenders.items()} for _ in range(ROUNDS)]
    print(f"{RUNS:,} runs of {JOBS} jobs; medians of {ROUNDS}")
    floor = median(one["imports alone"][1] for one in rounds)
    for name in contenders:
        wall, used = (median(one[name][part] for one in rounds) for part in (0, 1))
        print(f"{name:<24} {wall:7.0f} ms  processor {used:6.0f} ms = {used / floor:4.1f} x imports")


if __name__ == "__main__":
    main()
