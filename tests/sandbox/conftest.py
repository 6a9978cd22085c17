"""A running sandbox and a caller that knows its credentials."""

from collections.abc import Iterator

import pytest

from tests.sandbox.calling import Caller, Make
from tests.sandbox.idpcalling import IdpCaller
from worker.sandbox.options import SandboxOptions
from worker.sandbox.server import Sandbox


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox with few rows and default manners."""
    with Sandbox(SandboxOptions(rows=60)) as running:
        yield running


@pytest.fixture
def caller(sandbox: Sandbox) -> Iterator[Caller]:
    """A caller of that sandbox."""
    calling = Caller(sandbox)
    with calling.session:
        yield calling


@pytest.fixture
def make() -> Iterator[Make]:
    """Starts sandboxes with other options; all are stopped at the end."""
    making = Make()
    yield making
    making.stop()


@pytest.fixture
def idp(sandbox: Sandbox) -> Iterator[IdpCaller]:
    """A client of that sandbox's IdP."""
    calling = IdpCaller(sandbox)
    with calling.session:
        yield calling
