"""Small libraries in C that are preloaded into daemons; a test that needs one is skipped where no compiler is."""

import shutil
import struct
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest

_HERE = Path(__file__).parent


@cache
def _folder() -> Path:
    return Path(mkdtemp(prefix="shims-"))


@cache
def shim(name: str) -> Path:
    """Compiles `name`.c once a session and returns the library."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    built = _folder() / f"{name}.so"
    source = _HERE / f"{name}.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", built, source, "-ldl", "-lpthread"], check=True)
    return built


@dataclass(frozen=True)
class WallClock:
    """The wall clock of processes that are started with its `environment`; their other clocks go on."""

    file: Path

    def __post_init__(self) -> None:
        self.file.write_bytes(struct.pack("d", 0.0))

    @property
    def environment(self) -> dict[str, str]:
        """What to start them with."""
        return {"LD_PRELOAD": str(shim("wallshift")), "WALLSHIFT_FILE": str(self.file)}

    def shift(self, seconds: float) -> None:
        """Sets the clock so far off the true one, in all of them at once."""
        with self.file.open("r+b") as file:
            file.write(struct.pack("d", seconds))
