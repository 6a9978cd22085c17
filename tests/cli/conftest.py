"""An installation for the command line: a folder with configuration and database, and a way to run verbs in it."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.canary import canary
from tests.fresh import open_new
from worker.cli import output
from worker.cli.app import main
from worker.store.database import Database
from worker.vault.keyring import create

CONFIG = """\
[database]
url = "sqlite:///worker.db"

[vault]
keys = { file = "worker.keys" }

[accounts.tangoe]
profile = "tangoe"
base_url = "https://api.example.com/mobproc/v1"
tenant = "XYZ"
client_id = "0123abc"
client_secret = { file = "secrets/client_secret" }
grant = "password"
accept_password_grant = true
username = "command://svc-sync"
password = { file = "secrets/password" }

[jobs.devices]
type = "sync"
schedule = "*/10 6-20 * * mon-fri"
timezone = "Europe/Berlin"
source = { account = "tangoe", resource = "devices" }
destination = { table = "devices" }

[jobs.orders]
type = "sync"
schedule = { after = ["devices"] }
source = { account = "tangoe", resource = "orders" }
destination = { table = "orders" }

[jobs.employees]
type = "sync"
enabled = false
schedule = "manual"
source = { account = "tangoe", resource = "employees" }
destination = { table = "employees" }
"""


@dataclass(frozen=True)
class Said:
    """What a verb said: exit code, stdout, stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401  any JSON
        """Stdout as a document."""
        return orjson.loads(self.out)


Verb = Callable[..., Said]


@pytest.fixture
def worker(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Verb]:
    """Runs a verb as the command does, in this process; `columns` is the width of the terminal."""
    umask = os.umask(0o077)

    def run(*arguments: str | Path | int, columns: int = 0) -> Said:
        monkeypatch.setattr("sys.argv", ["worker", *map(str, arguments)])
        monkeypatch.delenv("COLUMNS", raising=False)
        monkeypatch.setattr(output.out, "_width", None)  # rich keeps the COLUMNS that stood when a console was made
        if columns:
            monkeypatch.setenv("COLUMNS", str(columns))
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return Said(int(ended.value.code or 0), told.out, told.err)

    yield run
    os.umask(umask)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation without a database, as the current folder."""
    (tmp_path / "config.toml").write_text(CONFIG)
    (tmp_path / "secrets").mkdir(mode=0o700)
    for name in ("client_secret", "password"):
        file = tmp_path / "secrets" / name
        file.touch(mode=0o600)
        file.write_text(canary(f"command line's {name}"))
    create(tmp_path / "worker.keys")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def database(folder: Path) -> Iterator[Database]:
    """The installation's database, with an empty ledger."""
    opened = open_new(folder / "worker.db")
    yield opened
    opened.close()
