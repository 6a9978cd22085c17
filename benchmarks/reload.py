"""How long does a daemon of many jobs take to start, and to take up one changed job?

The daemon starts on an empty SQLite file, then once more on the one it left; each reload changes the path of one job.
Wall clock and processor time from the start of the process to daemon.ready, and from HUP to configuration.reloaded;
medians of some rounds.

    python -m benchmarks.reload [JOBS]
"""

import signal
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.cli import CONFIG, JOB, WORKER, furnish, used_s

JOBS = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
ROUNDS = 5
Took = tuple[float, float]  # seconds by the wall clock, and of a processor


class Daemon:
    """A daemon, and how long it took until it said something."""

    def __init__(self, config: Path) -> None:
        begun = time.perf_counter()
        self._process = subprocess.Popen([*WORKER, "run", "-c", str(config)], stdout=subprocess.PIPE)  # noqa: S603  ours
        self.ready = self._until(b"daemon.ready", begun, 0.0)

    def reload(self, config: Path, text: str) -> Took:
        """Returns what it took to take up a changed configuration."""
        config.write_text(text)
        begun, used = time.perf_counter(), used_s(self._process.pid)
        self._process.send_signal(signal.SIGHUP)
        return self._until(b"configuration.reloaded", begun, used)

    def stop(self) -> None:
        """Ends it."""
        self._process.send_signal(signal.SIGTERM)
        self._process.communicate()

    def _until(self, event: bytes, begun: float, used: float) -> Took:
        next(line for line in self._process.stdout or [] if event in line)
        return time.perf_counter() - begun, used_s(self._process.pid) - used


def turn(folder: Path) -> dict[str, Took]:
    """Returns one round: a first start, a second one, and reloads of one job."""
    config = folder / "config.toml"
    text = CONFIG.format(database="worker.db") + "".join(JOB.format(number=number) for number in range(JOBS))
    config.write_text(text)
    for file in folder.glob("worker.db*"):
        file.unlink()
    first = Daemon(config)
    first.stop()
    again = Daemon(config)
    try:
        changed = again.reload(config, text.replace("/v2/orders", "/v3/orders", 1))
        return {"first start": first.ready, "start": again.ready, "reload of one job": changed}
    finally:
        again.stop()


def main() -> None:
    """Measures and prints a table."""
    with TemporaryDirectory(prefix="reload-") as name:
        folder = Path(name)
        furnish(folder)
        rounds = [turn(folder) for _ in range(ROUNDS)]
    print(f"{JOBS:,} jobs; medians of {ROUNDS}")
    for what in rounds[0]:
        wall, used = (median(one[what][part] for one in rounds) for part in (0, 1))
        print(f"{what:<18} {wall:6.2f} s  processor {used:6.2f} s")


if __name__ == "__main__":
    main()
