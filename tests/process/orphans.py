"""A job that leaves a process behind whose parent is gone."""

import subprocess

from jobs.contract import Context


def leave_behind(_context: Context) -> None:
    """Starts a shell that starts another process and ends."""
    subprocess.run(["sh", "-c", "sleep 0.2 &"], check=True, stdout=subprocess.DEVNULL)
