"""One suite for every place a secret can come from, and what is particular to each."""

import base64
import os
import sys
import types
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

import pytest

from worker.model.errors import SecretError, SecretMissing, SecretUnsafe
from worker.model.secretref import SecretRef
from worker.vault.command import first_output
from worker.vault.files import LARGEST
from worker.vault.redact import redact
from worker.vault.secret import Secret
from worker.vault.sources import resolve

WANTED = "accounts.tangoe.password"
VALUE = "canary pässword/77120"


class Place(ABC):
    """A place of one kind, which a test fills."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment: dict[str, str] = {"PATH": os.environ["PATH"]}

    @property
    @abstractmethod
    def ref(self) -> SecretRef:
        """The reference that a configuration would hold."""

    @abstractmethod
    def put(self, content: bytes) -> None:
        """Lays the content there."""

    def resolve(self) -> Secret:
        """Resolves the reference in this place's surroundings."""
        return resolve(self.ref, WANTED, self.environment, self.folder / "run-secrets")


class Environment(Place):
    """An environment variable."""

    ref = SecretRef(env="TANGOE_PASSWORD")

    def put(self, content: bytes) -> None:
        """Sets the variable, as Python decodes the environment."""
        self.environment["TANGOE_PASSWORD"] = os.fsdecode(content)


class File(Place):
    """A file of mode 0600."""

    @property
    def ref(self) -> SecretRef:
        """Names the file."""
        return SecretRef(file=self.folder / "password")

    def put(self, content: bytes) -> None:
        """Writes the file."""
        (self.folder / "password").write_bytes(content)
        (self.folder / "password").chmod(0o600)


class Systemd(Place):
    """A credential that systemd laid ready."""

    ref = SecretRef(credential="tangoe_password")

    def put(self, content: bytes) -> None:
        """Writes the credential as systemd does: readable only."""
        self.environment["CREDENTIALS_DIRECTORY"] = str(self.folder)
        (self.folder / "tangoe_password").write_bytes(content)
        (self.folder / "tangoe_password").chmod(0o400)


class Container(Place):
    """A secret that a container runtime mounted."""

    ref = SecretRef(credential="tangoe_password")

    def put(self, content: bytes) -> None:
        """Writes the secret as Kubernetes does: behind a link, readable for all."""
        (self.folder / "run-secrets").mkdir()
        (self.folder / "run-secrets" / "..data").write_bytes(content)
        (self.folder / "run-secrets" / "..data").chmod(0o444)
        (self.folder / "run-secrets" / "tangoe_password").symlink_to("..data")


class Command(Place):
    """A program that prints the secret."""

    @property
    def ref(self) -> SecretRef:
        """Names the program."""
        return SecretRef(command=(str(self.folder / "helper"), "get"))

    def put(self, content: bytes) -> None:
        """Writes the program."""
        octal = "".join(f"\\0{byte:03o}" for byte in content)
        (self.folder / "helper").write_text(f"#!/bin/sh\nprintf '%b' '{octal}'\n")
        (self.folder / "helper").chmod(0o700)


class Desktop(Place):
    """An entry in the desktop's key ring."""

    ref = SecretRef(keyring="worker/svc-sync")
    entries: dict[tuple[str, str], str]

    def put(self, content: bytes) -> None:
        """Stores the entry."""
        self.entries["worker", "svc-sync"] = os.fsdecode(content)


@pytest.fixture(autouse=True)
def desktop(monkeypatch: pytest.MonkeyPatch) -> Iterator[types.ModuleType]:
    """Puts a key ring in memory where the desktop's would be: there is no desktop where tests run."""
    module = types.ModuleType("keyring")
    Desktop.entries = {}
    module.get_password = lambda service, user: Desktop.entries.get((service, user))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", module)
    yield module
    Desktop.entries = {}


@pytest.fixture(params=[Environment, File, Systemd, Container, Command, Desktop])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Runs the test on every kind of place."""
    made: Place = request.param(tmp_path)
    return made


def test_a_secret_that_is_there_is_found(place: Place) -> None:
    """The value comes back whole, and is masked from then on."""
    place.put(VALUE.encode())
    secret = place.resolve()
    assert secret.reveal() == VALUE
    assert VALUE not in redact(f"found {VALUE}")


def test_a_secret_that_is_not_there_is_missed_by_name(place: Place) -> None:
    """The error names the key that wants the secret and every place looked at."""
    with pytest.raises(SecretMissing) as caught:
        place.resolve()
    assert WANTED in str(caught.value)
    assert caught.value.looked


@pytest.mark.parametrize("content", [b"", b"\n"])
def test_an_empty_secret_is_an_error(place: Place, content: bytes) -> None:
    """Nothing, or nothing but a newline, is no secret."""
    place.put(content)
    with pytest.raises(SecretMissing, match="empty"):
        place.resolve()


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_one_newline_at_the_end_is_stripped(place: Place, ending: str) -> None:
    """What `echo` and editors add is no part of the secret; spaces are."""
    place.put(f" {VALUE} {ending}".encode())
    assert place.resolve().reveal() == f" {VALUE} "


def test_a_control_character_is_refused(place: Place) -> None:
    """What no header can carry is refused before it is sent, without being shown."""
    place.put(f"{VALUE}\x1b[0m".encode())
    with pytest.raises(SecretError, match=r"control character \(U\+001B\)") as caught:
        place.resolve()
    assert VALUE not in str(caught.value)


def test_bytes_that_are_no_text_are_refused(place: Place) -> None:
    """A secret that is not UTF-8 is refused, and the error holds none of it."""
    place.put(b"canary-\xff\xfe-77121")
    with pytest.raises(SecretError, match="not UTF-8") as caught:
        place.resolve()
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("kind", [Environment, File, Systemd, Container, Desktop])
def test_a_second_line_is_refused(kind: type[Place], tmp_path: Path) -> None:
    """A secret is one line; of a program's output only the first line counts."""
    place = kind(tmp_path)
    place.put(b"first\nsecond\n")
    with pytest.raises(SecretError, match="more than one line"):
        place.resolve()


def test_the_first_line_of_a_program_counts(tmp_path: Path) -> None:
    """Remarks below the secret are passed over, as git's helpers may make them."""
    place = Command(tmp_path)
    place.put(b"first-line\nsecond\n")
    assert place.resolve().reveal() == "first-line"


@pytest.mark.parametrize("kind", [Environment, File, Systemd, Container, Desktop])
def test_a_private_key_keeps_its_lines(kind: type[Place], tmp_path: Path) -> None:
    """A PEM block is the one secret of several lines."""
    place = kind(tmp_path)
    block = "-----BEGIN PRIVATE KEY-----\nabc=\n-----END PRIVATE KEY-----"
    place.put(f"{block}\n".encode())
    assert place.resolve().reveal() == block


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666, 0o610])
def test_a_file_open_to_others_is_unsafe(tmp_path: Path, mode: int) -> None:
    """The error tells path, mode and what to type."""
    place = File(tmp_path)
    place.put(VALUE.encode())
    (tmp_path / "password").chmod(mode)
    with pytest.raises(SecretUnsafe) as caught:
        place.resolve()
    assert f"{mode:04o}" in str(caught.value)
    assert f"chmod 600 {tmp_path / 'password'}" in str(caught.value)
    assert VALUE not in str(caught.value)


def test_a_foreign_file_is_unsafe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that belongs neither to us nor to root is refused, with the owner found."""
    place = File(tmp_path)
    place.put(VALUE.encode())
    if os.geteuid() == 0:
        os.chown(tmp_path / "password", 12345, -1)
        found = 12345
    else:
        found = os.geteuid()
        monkeypatch.setattr(os, "geteuid", lambda: found + 1)
    with pytest.raises(SecretUnsafe, match=f"belongs to user id {found}"):
        place.resolve()


def test_a_link_is_unsafe(tmp_path: Path) -> None:
    """A link is refused, with the file to name instead."""
    place = File(tmp_path)
    place.put(VALUE.encode())
    (tmp_path / "link").symlink_to(tmp_path / "password")
    with pytest.raises(SecretUnsafe, match="symbolic link"):
        resolve(SecretRef(file=tmp_path / "link"), WANTED)


def test_what_is_no_file_is_unsafe(tmp_path: Path) -> None:
    """A folder and a named pipe are refused; nobody waits for the pipe."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(SecretUnsafe, match="not a regular file"):
            resolve(SecretRef(file=path), WANTED)


def test_a_folder_open_to_all_is_unsafe_unless_sticky(tmp_path: Path) -> None:
    """Where anybody can exchange the file, its own mode means nothing; in /tmp nobody can."""
    folder = tmp_path / "open"
    folder.mkdir()
    place = File(folder)
    place.put(VALUE.encode())
    folder.chmod(0o777)
    with pytest.raises(SecretUnsafe, match=f"chmod o-w {folder}"):
        place.resolve()
    folder.chmod(0o1777)
    assert place.resolve().reveal() == VALUE


def test_a_file_too_long_is_refused(tmp_path: Path) -> None:
    """64 KiB is the bound, and the first byte beyond it counts."""
    place = File(tmp_path)
    place.put(b"x" * LARGEST)
    assert len(place.resolve().reveal()) == LARGEST
    place.put(b"x" * (LARGEST + 1))
    with pytest.raises(SecretError, match="more than 65536 bytes"):
        place.resolve()


def test_a_credential_that_others_can_write_is_unsafe(tmp_path: Path) -> None:
    """Mounted secrets may be read by all, but not written."""
    place = Systemd(tmp_path)
    place.put(VALUE.encode())
    (tmp_path / "tangoe_password").chmod(0o666)
    with pytest.raises(SecretUnsafe, match="0666"):
        place.resolve()


def test_systemd_goes_before_the_container(tmp_path: Path) -> None:
    """Both places hold the credential: systemd's counts; without it the other one does."""
    (tmp_path / "systemd").mkdir()
    systemd, container = Systemd(tmp_path / "systemd"), Container(tmp_path)
    systemd.put(b"from-systemd")
    container.put(b"from-container")
    environment = systemd.environment
    run_secrets = tmp_path / "run-secrets"
    assert resolve(systemd.ref, WANTED, environment, run_secrets).reveal() == "from-systemd"
    (tmp_path / "systemd" / "tangoe_password").unlink()
    assert resolve(systemd.ref, WANTED, environment, run_secrets).reveal() == "from-container"


def test_a_missing_credential_lists_all_places_in_order(tmp_path: Path) -> None:
    """What was looked at, in the order it was looked at."""
    ref, elsewhere = SecretRef(credential="x"), tmp_path / "run"
    with pytest.raises(SecretMissing) as caught:
        resolve(ref, WANTED, {"CREDENTIALS_DIRECTORY": str(tmp_path)}, elsewhere)
    assert caught.value.looked == [f"{tmp_path}/x (does not exist)", f"{elsewhere}/x (does not exist)"]
    with pytest.raises(SecretMissing) as caught:
        resolve(ref, WANTED, {}, elsewhere)
    assert caught.value.looked == ["$CREDENTIALS_DIRECTORY (not set)", f"{elsewhere}/x (does not exist)"]


def _helper(folder: Path, script: str) -> str:
    path = folder / "helper"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    return str(path)


def test_a_failing_program_is_named_but_not_quoted(tmp_path: Path) -> None:
    """The error has program and exit code, and nothing the program printed."""
    helper = _helper(tmp_path, "echo canary-out; echo canary-err >&2; exit 3")
    with pytest.raises(SecretError, match="ended with exit code 3") as caught:
        resolve(SecretRef(command=(helper,)), WANTED)
    assert helper in str(caught.value)
    assert "canary" not in str(caught.value)


def test_a_killed_program_is_told_apart(tmp_path: Path) -> None:
    """A program that dies of a signal is said to have."""
    with pytest.raises(SecretError, match="killed by signal 9"):
        resolve(SecretRef(command=(_helper(tmp_path, "kill -9 $$"),)), WANTED)


@pytest.mark.parametrize("script", ["sleep 60", "sleep 60 & sleep 60", "exec >&-; sleep 60"])
def test_a_program_that_hangs_is_stopped(tmp_path: Path, script: str) -> None:
    """The time limit holds for the program, for what it starts, and after it closed its output."""
    with pytest.raises(SecretError, match=r"within 0\.2 s and was stopped"):
        first_output([_helper(tmp_path, script)], WANTED, os.environ, timeout_s=0.2)


def test_a_program_that_prints_on_and_on_is_stopped(tmp_path: Path) -> None:
    """Output is bounded."""
    with pytest.raises(SecretError, match="more than 65536 bytes"):
        resolve(SecretRef(command=(_helper(tmp_path, "exec yes"),)), WANTED)


def test_a_program_sees_little(tmp_path: Path) -> None:
    """It gets PATH, HOME and LANG, and its arguments as they are: no shell reads them."""
    helper = _helper(tmp_path, 'echo "$1|$HOME|$LANG|$OTHER"')
    environment = {"PATH": os.environ["PATH"], "HOME": "/h", "LANG": "C", "OTHER": "canary"}
    found = resolve(SecretRef(command=(helper, "$(id); *")), WANTED, environment)
    assert found.reveal() == "$(id); *|/h|C|"


def test_a_bare_name_is_looked_for_in_the_path(tmp_path: Path) -> None:
    """A program in PATH is found; one that is not there is missed with the PATH."""
    _helper(tmp_path, "echo found-in-path")
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    assert resolve(SecretRef(command=("helper",)), WANTED, environment).reveal() == "found-in-path"
    with pytest.raises(SecretMissing, match="in PATH /nowhere"):
        resolve(SecretRef(command=("helper",)), WANTED, {"PATH": "/nowhere"})


def test_a_relative_program_is_refused() -> None:
    """A relative path would mean another program in each folder."""
    with pytest.raises(SecretError, match="relative path"):
        resolve(SecretRef(command=("./helper",)), WANTED)


def test_a_file_that_is_no_program_is_told(tmp_path: Path) -> None:
    """A file the system cannot run gives a sentence, not a traceback."""
    (tmp_path / "helper").write_bytes(base64.b64encode(b"no program"))
    (tmp_path / "helper").chmod(0o700)
    with pytest.raises(SecretError, match="cannot be started"):
        resolve(SecretRef(command=(str(tmp_path / "helper"),)), WANTED)


def test_without_the_keyring_package_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(SecretError, match=r"pip install 'integration-worker\[keyring\]'"):
        resolve(SecretRef(keyring="worker/svc-sync"), WANTED)


def test_a_locked_keyring_is_told(desktop: types.ModuleType) -> None:
    """A backend's own error becomes one of ours, without its text."""

    def locked(_service: str, _user: str) -> str:
        raise RuntimeError("canary")

    desktop.get_password = locked  # type: ignore[attr-defined]
    with pytest.raises(SecretError, match=r"did not open \(RuntimeError\)") as caught:
        resolve(SecretRef(keyring="worker/svc-sync"), WANTED)
    assert "canary" not in str(caught.value)
