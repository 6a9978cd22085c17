"""No object shows a secret, none keeps one in clear but a Secret, and no dump and no child process gets one."""

import io
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, MethodType, ModuleType
from typing import Any

import orjson
import pytest

from tests.redaction.scene import ACCESS, CLIENT_SECRET, NOTHING, OWN, PASSWORD, TOKEN, Scene
from tests.wire.farend import FarEnd
from worker.calls.means import RunRef
from worker.cli.app import app
from worker.config.load import Configuration
from worker.model.secretref import SecretRef
from worker.store import keyring
from worker.store.schema import upgrade
from worker.vault.secret import Secret
from worker.vault.sources import resolve
from worker.wiring.build import Worker
from worker.wiring.secrets import Secrets

_DEEPEST = 12
_PLAIN = (str, bytes, bytearray)
_CLOSED = (Secret, type, ModuleType, FunctionType, io.IOBase)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[tuple[Scene, Worker, Secrets]]:
    """A worker with a token at hand and a call behind it."""
    with FarEnd(NOTHING) as api, FarEnd(TOKEN) as tokens:
        made = Scene(tmp_path, api.url, tokens.url)
        with made.worker() as (worker, secrets):
            made.call(worker)
            yield made, worker, secrets


def _parts(value: Any) -> Iterator[Any]:  # noqa: ANN401  any object
    """Yields what an object holds: items, attributes, slots; the bound object of a method."""
    if isinstance(value, MethodType):
        yield value.__self__
    if isinstance(value, dict):
        yield from [*value.keys(), *value.values()]
    elif isinstance(value, list | tuple | set | frozenset):
        yield from list(value)
    yield from list(getattr(value, "__dict__", {}).values())
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            try:
                yield getattr(value, name)
            except (AttributeError, TypeError, ValueError):
                continue


def _clear(root: object) -> Iterator[tuple[str, str]]:
    """Yields (way, text) of every plain text reachable from an object, but for what a Secret holds."""
    waiting: deque[tuple[str, Any]] = deque([(type(root).__name__, root)])
    met: dict[int, Any] = {}  # kept, so that no id is given twice
    while waiting:
        way, value = waiting.popleft()
        if isinstance(value, _CLOSED) or id(value) in met or way.count(" > ") > _DEEPEST:
            continue
        met[id(value)] = value
        if isinstance(value, _PLAIN):
            yield way, value if isinstance(value, str) else bytes(value).decode("latin-1")
        else:
            waiting += [(f"{way} > {type(part).__name__}", part) for part in _parts(value)]


def test_no_object_keeps_a_secret_in_clear(scene: tuple[Scene, Worker, Secrets]) -> None:
    """From the worker, its configuration and its secrets, down to the HTTP library's own objects."""
    _, worker, secrets = scene

    found = [find for root in (worker, secrets) for way, text in _clear(root) for find in OWN.search_text(text, way)]

    assert found == []


def test_the_walk_reaches_what_a_keeper_holds(scene: tuple[Scene, Worker, Secrets]) -> None:
    """A secret in clear would be found: one is put where the token is."""
    _, worker, _ = scene
    worker.live.current.accounts["erp"].keeper.__dict__["planted"] = [{"token": (ACCESS,)}]

    assert [find.role for _, text in _clear(worker) for find in OWN.search_text(text, "")] == ["access token"]


def test_no_repr_shows_a_secret(scene: tuple[Scene, Worker, Secrets]) -> None:
    """Of every public object, and of what `vars` tells about it."""
    _, worker, secrets = scene
    parts = worker.live.current.accounts["erp"]
    bound = parts.api.bind(RunRef("orders", 1, 1, lambda: None, lambda: 5.0))
    configuration: Configuration = worker.begun
    objects: list[Any] = [worker, worker.ground, secrets, secrets.accounts["erp"], secrets.ring, secrets.ring.current()]
    objects += [parts, parts.keeper, parts.keeper.token(), parts.api, bound, *parts.lines, configuration]
    objects += [configuration.accounts["erp"], worker.ground.cipher, worker.ground.database.engine, worker.ground.trail]
    for one in objects:
        for text in (repr(one), str(one), f"{one}", repr(getattr(one, "__dict__", ""))):
            assert OWN.search_text(text, type(one).__name__) == []
            keys = [line for line in _ring_lines(configuration) if line in text]
            assert keys == []


def _ring_lines(configuration: Configuration) -> list[str]:
    file = configuration.vault.keys.file
    assert file is not None
    return [line.partition(":")[2] for line in file.read_text().splitlines() if not line.startswith("#")]


@pytest.mark.parametrize(
    "verb",
    [
        ["check", "--json"],
        ["check"],
        ["schema"],
        ["account", "list", "--json"],
        ["calls", "--json"],
        ["history", "--json"],
        ["jobs", "--json"],
        ["keys", "status", "--json"],
        ["db", "status", "--json"],
    ],
    ids=" ".join,
)
def test_no_verb_prints_a_secret(
    verb: list[str], scene: tuple[Scene, Worker, Secrets], capsys: pytest.CaptureFixture[str]
) -> None:
    """Dumps and listings, after a call was made."""
    config = [] if verb == ["schema"] else ["--config", str(scene[0].folder / "config.toml")]
    app([*verb, *config], standalone_mode=False)

    printed = capsys.readouterr()

    assert printed.out
    assert OWN.search_text(printed.out + printed.err, "printed") == []
    assert [key for key in _ring_lines(scene[1].begun) if key in printed.out] == []


def test_a_wrong_configuration_is_not_quoted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A secret that was written where a reference belongs is blamed, not shown."""
    Scene(tmp_path, "https://api.example.com", "https://idp.example.com")
    config = tmp_path / "config.toml"
    text = config.read_text()
    for wrong in (
        f'"{PASSWORD.replace(chr(92), "").replace(chr(34), "")}"',
        f'{{ envv = "{ACCESS}" }}',
        f'["{ACCESS}"]',
    ):
        config.write_text(text.replace('{ file = "secrets/password" }', wrong))
        with pytest.raises(Exception, match="password") as caught:
            app(["check", "--json", "--config", str(config)], standalone_mode=False)
        printed = capsys.readouterr()
        shown = f"{caught.value!r}{caught.value}{printed.out}{printed.err}"
        assert OWN.search_text(shown, wrong[:8]) == []


def test_a_program_that_gives_a_secret_gets_none(tmp_path: Path) -> None:
    """Neither in its environment nor in its arguments; what it complains about goes nowhere."""
    program = tmp_path / "helper"
    program.write_text(
        f"#!/bin/sh\ntr '\\0' '\\n' < /proc/self/environ > {tmp_path}/environment\n"
        f"echo '{CLIENT_SECRET}' >&2\necho '{PASSWORD.split('+')[0]}'\n"
    )
    program.chmod(0o700)
    environment = {"PATH": "/usr/bin:/bin", "OTHER_SECRET": ACCESS, "HOME": str(tmp_path)}

    secret = resolve(SecretRef(command=(str(program), "argument")), "accounts.erp.password", environment)

    assert PASSWORD.startswith(secret.reveal())
    assert OWN.search_file(tmp_path / "environment") == []
    assert "PATH=" in (tmp_path / "environment").read_text()


def test_nothing_that_is_stored_holds_a_secret(scene: tuple[Scene, Worker, Secrets]) -> None:
    """The database and its log, definitions and keys among them; only the ring and the secret files do."""
    made, worker, _ = scene
    upgrade(worker.ground.database)
    with worker.ground.database.read() as connection:
        rows = keyring.rows(connection)
    assert rows
    names = {path.name for path in made.folder.rglob("*") if path.is_file()}
    assert {"worker.db", "worker.log", "worker.keys", "password"} <= names
    assert OWN.search_folder(made.folder) == []
    keys = [key.encode() for key in _ring_lines(worker.begun)]
    for name in ("worker.db", "worker.db-wal", "worker.log"):
        data = (made.folder / name).read_bytes() if (made.folder / name).exists() else b""
        assert not any(key in data for key in keys)
    assert orjson.loads(made.log().splitlines()[0])
