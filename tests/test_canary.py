"""The search for secrets finds a planted one in every spelling and every place, and nothing else."""

import os
import secrets
import subprocess
import sys
import time
from dataclasses import asdict, fields
from pathlib import Path

import pytest
import requests
import sqlalchemy as sa

from tests.canary import CANARIES, Canaries, canary, credentials, new_mark, written
from tests.conftest import Server
from worker.sandbox.options import Credentials, SandboxOptions
from worker.sandbox.server import Sandbox
from worker.store.database import Database, open_database

_ROOT = Path(__file__).parents[1]
_SPELLINGS = sorted(written("x"))


@pytest.fixture
def canaries() -> Canaries:
    """Canaries of a mark of their own, so that what is planted here is no leak of the session."""
    return Canaries(new_mark())


@pytest.mark.parametrize("spelling", _SPELLINGS)
def test_a_planted_secret_is_found(canaries: Canaries, tmp_path: Path, spelling: str) -> None:
    """In the middle of a log, however it is spelt; the find names the file and, unless cut short, whose it is."""
    canaries.token("other's password")
    log = tmp_path / "worker.log"
    log.write_text(f"before\n{'x' * 5000}{written(canaries.secret('tangoe password'))[spelling]}\nafter")
    finds = canaries.search_folder(tmp_path)
    assert {(find.place, find.role) for find in finds} == {
        (str(log), "unknown" if spelling == "cut short" else "tangoe password")
    }


@pytest.mark.parametrize("offset", range(6))
@pytest.mark.parametrize("spelling", ["base64", "base64 of a pair", "base64 after one byte", "base64 after two bytes"])
def test_base64_is_found_wherever_it_begins(canaries: Canaries, spelling: str, offset: int) -> None:
    """Groups of three bytes may begin at any byte of the secret."""
    text = written("y" * offset + canaries.secret("password"))[spelling]
    assert [find.role for find in canaries.search_text(text, "log")] == ["password"]


def test_a_row_is_found(canaries: Canaries, sqlite_database: Database, tmp_path: Path) -> None:
    """A value in a SQLite database is found, also while it stands in the write-ahead log only."""
    with sqlite_database.write() as connection:
        connection.execute(sa.text("CREATE TABLE notes (text TEXT)"))
        connection.execute(sa.text("INSERT INTO notes VALUES (:text)"), {"text": canaries.secret("password")})
    assert {Path(find.place).name for find in canaries.search_folder(tmp_path)} == {"worker.db-wal"}
    sqlite_database.close()
    assert {Path(find.place).name for find in canaries.search_folder(tmp_path)} == {"worker.db"}


def test_a_row_of_postgresql_is_found(canaries: Canaries, postgres_server: Server, postgres_url: str) -> None:
    """A value in a table of the session's server is found in the server's files."""
    database = open_database(postgres_url)
    with database.write() as connection:
        connection.execute(sa.text("CREATE TABLE notes (text TEXT)"))
        connection.execute(sa.text("INSERT INTO notes VALUES (:text)"), {"text": canaries.secret("password")})
    database.close()
    assert {find.role for find in postgres_server.leaks(canaries)} == {"password"}


_SESSION = """
import logging
from tests.canary import canary

def test_output():
    print(canary("printed secret"))

def test_log():
    logging.warning(canary("logged secret"))

def test_file(tmp_path):
    (tmp_path / "left.txt").write_text(canary("left secret"))
    (tmp_path / "worker.keys").write_text(canary("kept secret"))

def test_error():
    raise RuntimeError(canary("raised secret"))
"""


def test_a_session_with_leaks_fails(tmp_path: Path) -> None:
    """Output, log lines and errors of tests, and files they leave, fail a session with a message that names them."""
    (tmp_path / "conftest.py").write_text("from tests.conftest import *\n")
    (tmp_path / "test_leaks.py").write_text(_SESSION)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--basetemp={tmp_path / 'base'}"]
    environment = os.environ | {"TEST_CANARY_MARK": new_mark(), "PYTHONPATH": os.fspath(_ROOT)}
    done = subprocess.run(
        [*command, tmp_path], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert "3 passed, 1 failed, 1 error" in done.stdout or "1 failed, 3 passed, 1 error" in done.stdout
    told = done.stdout[done.stdout.index("secrets got out:") :]
    for role in ("printed", "logged", "left", "raised"):
        assert f"the {role} secret (as it is)" in told
    assert "kept secret" not in told


def test_homes_of_secrets_are_left_out(canaries: Canaries, tmp_path: Path) -> None:
    """Secret files and key rings may hold secrets; a file beside them may not."""
    (tmp_path / "secrets").mkdir()
    for name in ("secrets/password", "worker.keys", "notes"):
        (tmp_path / name).write_text(canaries.secret("password"))
    assert [Path(find.place).name for find in canaries.search_folder(tmp_path)] == ["notes"]


def test_nothing_else_is_found(canaries: Canaries) -> None:
    """Random bytes and the canaries of another session are none."""
    assert not canaries.search(secrets.token_bytes(1_000_000), "noise")
    assert not canaries.search_text(Canaries(new_mark()).secret("password"), "another session")


def test_a_role_has_one_secret() -> None:
    """Asked again, also by a child process with the same mark, a role has the same one; another role another."""
    assert canary("a") == canary("a") != canary("b")
    assert Canaries(CANARIES.mark).secret("a") == canary("a")


def test_sandboxes_are_laced() -> None:
    """Every secret of a sandbox's credentials is a canary, and so is each token it issues."""
    assert Credentials() == credentials() == SandboxOptions().credentials
    known = asdict(Credentials())
    assert all(known[one.name].startswith(CANARIES.mark) for one in fields(Credentials) if not one.repr)
    with Sandbox(SandboxOptions(rows=1)) as sandbox:
        form = {"grant_type": "client_credentials", "client_id": known["servicenow_client_id"]}
        secret = {"client_secret": known["servicenow_client_secret"]}
        answer = requests.post(f"{sandbox.url}/oauth_token.do", data=form | secret, timeout=10)
    assert answer.json()["access_token"].startswith(CANARIES.mark)


def test_the_search_is_quick(canaries: Canaries, tmp_path: Path) -> None:
    """A hundred megabytes, with a thousand canaries known, take less than two seconds on a busy machine."""
    for number in range(1000):
        canaries.token(f"token {number}")
    (tmp_path / "large").write_bytes(secrets.token_bytes(10_000_000) * 10)
    before = time.process_time()
    assert not canaries.search_folder(tmp_path)
    assert time.process_time() - before < 2
