"""One installation and one far end for all traps, which lies still again after each."""

from collections.abc import Iterator

import pytest

from tests.process.house import House
from tests.traps.plant import Plant
from worker.sandbox.options import SandboxOptions
from worker.sandbox.server import Sandbox

ROWS = 40


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    """An installation, and a far end with a few pages of rows."""
    with Sandbox(SandboxOptions(rows=ROWS)) as sandbox:
        house = House(tmp_path_factory.mktemp("traps") / "house", sandbox)
        yield Plant(house)
        house.close()


@pytest.fixture
def plant(planted: Plant) -> Iterator[Plant]:
    """The installation, before a far end that behaves until the test says otherwise."""
    yield planted
    sandbox = planted.house.sandbox
    sandbox.clear_traps()
    sandbox.clear_faults()
    sandbox.on_request(None)


@pytest.fixture
def sandbox(plant: Plant) -> Sandbox:
    """The far end."""
    return plant.house.sandbox
