"""The key ring file: read strictly, written once, never shown."""

import base64
import os
import pickle
from datetime import UTC, datetime
from pathlib import Path

import pytest

from worker.model.errors import KeyRingError, SecretUnsafe
from worker.model.secretref import SecretRef
from worker.vault.keyring import KeyRing, create, load
from worker.vault.redact import redact

KEY = base64.b64encode(bytes(range(32))).decode()
OTHER = base64.b64encode(bytes(range(32, 64))).decode()


def test_the_first_key_is_active() -> None:
    """Comments and empty lines are passed over, order counts."""
    ring = KeyRing.parse(f"# keys\n\n  new:{KEY}  \nold: {OTHER}\r\n", "ring")
    assert (ring.active, ring.kids) == ("new", ("new", "old"))
    assert (ring.get("new"), ring.get("old"), ring.get("gone")) == (
        bytes(range(32)),
        bytes(range(32, 64)),
        None,
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no key"),
        ("# only a comment\n", "holds no key"),
        (f"{KEY}\n", "line 1: expected `id:base64 of 32 bytes`"),
        (f"a:{KEY}\n:{OTHER}\n", "line 2: expected"),
        (f"a b:{KEY}\n", "line 1: expected"),
        (f"a:{KEY[:-2]}\n", "line 1: the key a is not base64"),
        (f"a:{KEY[:8]}\n", "line 1: the key a has 6 bytes; expected 32"),
        (f"a:{KEY}ä\n", "line 1: the key a is not base64"),
        (f"a:{KEY}\n# x\na:{OTHER}\n", "line 3: the key id a is there twice"),
    ],
)
def test_a_wrong_line_is_named_and_not_shown(text: str, message: str) -> None:
    """The error tells file and line, and holds nothing of the key."""
    with pytest.raises(KeyRingError) as caught:
        KeyRing.parse(text, "worker.keys")
    assert str(caught.value).startswith("worker.keys")
    assert message in str(caught.value)
    assert KEY[:8] not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_key_ring_does_not_show_its_keys() -> None:
    """Its repr has ids only, the redactor knows the keys, and it is not pickled."""
    ring = KeyRing.parse(f"a:{KEY}\n", "ring")
    assert repr(ring) == "KeyRing(a)"
    assert KEY not in redact(f"key {KEY}")
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(ring)


def test_a_new_key_ring_is_private_and_loads(tmp_path: Path) -> None:
    """`create` writes one key, for its owner only, whatever the umask says."""
    path = tmp_path / "worker.keys"
    before = os.umask(0)
    try:
        kid = create(path, lambda: datetime(2026, 11, 23, tzinfo=UTC))
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o7777 == 0o600
    assert kid.startswith("k20261123-")
    ring = load(SecretRef(file=path))
    assert ring.active == kid
    assert len(ring.get(kid) or b"") == 32


def test_two_key_rings_differ(tmp_path: Path) -> None:
    """Keys are random."""
    first, second = tmp_path / "a", tmp_path / "b"
    rings = [(create(path), load(SecretRef(file=path))) for path in (first, second)]
    assert rings[0][1].get(rings[0][0]) != rings[1][1].get(rings[1][0])


def test_a_key_ring_that_exists_is_left_alone(tmp_path: Path) -> None:
    """Neither a file nor a dangling link is overwritten or followed."""
    path = tmp_path / "worker.keys"
    path.write_text("precious")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for taken in (path, tmp_path / "link"):
        with pytest.raises(KeyRingError, match="exists and is left as it is"):
            create(taken)
    assert path.read_text() == "precious"
    assert not (tmp_path / "elsewhere").exists()


def test_a_key_ring_needs_its_folder(tmp_path: Path) -> None:
    """A missing folder is told, not made."""
    with pytest.raises(KeyRingError, match="cannot be written"):
        create(tmp_path / "missing" / "worker.keys")


def test_a_half_written_key_ring_is_taken_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk is full no file stays that would look like a key ring."""

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(KeyRingError, match="No space left"):
        create(tmp_path / "worker.keys")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_key_ring_tells_how_to_write_one(tmp_path: Path) -> None:
    """No key, no start: the error says where it looked and the command."""
    with pytest.raises(KeyRingError, match="worker keys init") as caught:
        load(SecretRef(file=tmp_path / "worker.keys"))
    assert str(tmp_path / "worker.keys") in str(caught.value)


def test_an_open_key_ring_is_unsafe(tmp_path: Path) -> None:
    """The rules of secret files hold for the most secret of them."""
    create(tmp_path / "worker.keys")
    (tmp_path / "worker.keys").chmod(0o644)
    with pytest.raises(SecretUnsafe, match="chmod 600"):
        load(SecretRef(file=tmp_path / "worker.keys"))


def test_a_key_ring_can_lie_in_the_environment() -> None:
    """A ring of several lines comes from any source."""
    ring = load(SecretRef(env="KEYS"), {"KEYS": f"a:{KEY}\nb:{OTHER}"})
    assert ring.kids == ("a", "b")
