"""What the configuration's tests share: a folder to write TOML files into, and loading that gives problems."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.config.loading import Load, Problems, Write
from worker.config.load import Configuration, load
from worker.model.errors import ConfigurationError, Problem

GOOD = """\
[vault]
keys = { file = "worker.keys" }

[accounts.erp]
base_url = "https://erp.example.com"
token_url = "{base_url}/token"
client_id = "me"
client_secret = { env = "ERP_SECRET" }

[jobs.orders]
type = "sync"
source = { account = "erp", path = "/orders" }
destination = { table = "orders", key = "id" }
"""


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a file beside the others, by default the main one; returns its path."""

    def write(text: str | bytes, name: str = "config.toml") -> Path:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        return file

    return write


@pytest.fixture
def loaded(write: Write) -> Load:
    """Loads a main file of this text, with no variables but those given."""

    def loaded(text: str, environment: Mapping[str, str] | None = None) -> Configuration:
        return load(write(text), environment or {})

    return loaded


@pytest.fixture
def problems(loaded: Load) -> Problems:
    """Loads a main file of this text and returns its problems; fails where it has none."""

    def problems(text: str, environment: Mapping[str, str] | None = None) -> list[Problem]:
        with pytest.raises(ConfigurationError) as caught:
            loaded(text, environment)
        return caught.value.problems

    return problems


@pytest.fixture
def good() -> str:
    """Returns a small configuration without a fault, of 13 lines."""
    return GOOD
