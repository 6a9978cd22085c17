"""Small libraries in C that are preloaded into daemons; a test that needs one is skipped where no compiler is."""

import shutil
import subprocess
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
