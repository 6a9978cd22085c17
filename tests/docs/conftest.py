"""What the tests of the recipes share: a house whose configuration is a recipe's, with the sandbox as far end."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.house import House
from tests.runs.bench import make_bench
from worker.sandbox.options import SandboxOptions
from worker.sandbox.server import Sandbox

__all__ = ["kitchen", "make_bench"]


@pytest.fixture
def kitchen(tmp_path: Path) -> Iterator[House]:
    """A house with a far end of some pages of rows."""
    with Sandbox(SandboxOptions(rows=120)) as sandbox:
        built = House(tmp_path / "house", sandbox)
        built.secret("erp_api_key", sandbox.options.credentials.api_key)
        yield built
        built.close()
