"""A key ring that follows its source, and never leaves the database it belongs to."""

import base64
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from worker.model.errors import KeyRingError
from worker.model.secretref import SecretRef
from worker.vault.cipher import Cipher
from worker.vault.keyring import KeyRing, create
from worker.vault.livering import LiveRing, follow
from worker.vault.ringfile import rewrite, with_new_key, without, write_new

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def _line(kid: str, byte: int) -> str:
    return f"{kid}:{base64.b64encode(bytes([byte]) * 32).decode()}\n"


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A key ring of one key, `old`."""
    _write(tmp_path / "worker.keys", _line("old", 1))
    return tmp_path / "worker.keys"


def test_a_new_key_is_met_without_a_restart(file: Path) -> None:
    """What another process seals with a new key opens here, and from then on we seal with it too."""
    ring = follow(SecretRef(file=file))
    daemon = Cipher(ring, "i")
    before = daemon.seal(b"x", table="t", record="r", generation=1)

    rewrite(file, lambda text: _line("new", 2) + text)
    other = Cipher(KeyRing.parse(file.read_text(), "ring"), "i")
    sealed = other.seal(b"y", table="t", record="r", generation=2)

    assert daemon.open(sealed, table="t", record="r", generation=2) == b"y"
    assert daemon.open(before, table="t", record="r", generation=1) == b"x"
    assert daemon.seal(b"z", table="t", record="r", generation=3).startswith(b"v1\x03new")
    assert repr(ring) == "LiveRing(new, old)"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "half a li",
        _line("other", 3),  # another database's
        _line("old", 3),  # another key under the same id
        _line("old", 1) + _line("older", 4),  # other fingerprints: every token would seem a stranger's
    ],
)
def test_a_ring_that_cannot_be_ours_is_not_taken(file: Path, text: str) -> None:
    """The keys at hand stay, until the source has a right ring again."""
    ring = follow(SecretRef(file=file))
    _write(file, text)
    assert ring.current().kids == ("old",)

    _write(file, _line("new", 2) + _line("old", 1))
    assert ring.current("new").active == "new"


def test_a_ring_that_is_gone_or_open_to_others_is_not_taken(file: Path) -> None:
    """Neither ends a daemon that works."""
    ring = follow(SecretRef(file=file))
    file.chmod(0o644)
    assert ring.current().kids == ("old",)
    file.unlink()
    assert ring.current("new").kids == ("old",)


def test_a_source_that_cannot_be_looked_at_is_asked_for_an_unknown_key_only() -> None:
    """A command may take seconds: known keys never ask it, unknown ones twice a minute."""
    rings = [KeyRing.parse(_line("old", 1), "1"), KeyRing.parse(_line("new", 2) + _line("old", 1), "2")]
    now_s = [0.0]
    ring = LiveRing(lambda: rings.pop(0), elapsed=lambda: now_s[0])

    assert ring.current("old").kids == ring.current("new").kids == ("old",)
    now_s[0] = 30.0
    assert ring.current("old").kids == ("old",)
    assert ring.current("new").kids == ("new", "old")
    now_s[0] = 90.0
    assert ring.current("old").active == "new"


def test_a_credential_is_followed_through_the_links_of_a_mount(tmp_path: Path) -> None:
    """Kubernetes exchanges a link to the folder of a mounted secret."""
    for name, text in (("one", _line("old", 1)), ("two", _line("new", 2) + _line("old", 1))):
        (tmp_path / name).mkdir()
        _write(tmp_path / name / "worker_keys", text)
    (tmp_path / "mount").symlink_to(tmp_path / "one")
    ring = follow(SecretRef(credential="worker_keys"), {"CREDENTIALS_DIRECTORY": str(tmp_path / "mount")})

    (tmp_path / "link").symlink_to(tmp_path / "two")
    (tmp_path / "link").rename(tmp_path / "mount")

    assert ring.current().active == "new"


def test_fingerprints_outlive_every_key(tmp_path: Path) -> None:
    """Neither a new key nor the retirement of the oldest looks like a changed password."""
    file = tmp_path / "worker.keys"
    first = create(file)
    cipher = Cipher(follow(SecretRef(file=file)), "i")
    mark = cipher.fingerprint("password-1")

    rewrite(file, lambda text: with_new_key(text, NOW)[0])
    assert cipher.fingerprint("password-1") == mark
    rewrite(file, lambda text: without(text, first))

    assert cipher.fingerprint("password-1") == mark
    assert Cipher(KeyRing.parse(file.read_text(), "ring"), "i").fingerprint("password-1") == mark
    assert first not in file.read_text()


def test_a_change_keeps_comments_and_mode(file: Path) -> None:
    """Only the lines that change are changed."""
    _write(file, "# mine\n\n" + _line("old", 1) + "# the end\n")
    rewrite(file, lambda text: with_new_key(text, NOW)[0])
    lines = file.read_text().splitlines()
    assert lines[:2] == ["# mine", ""]
    assert lines[2].startswith("k2")
    assert lines[3:5] == [_line("old", 1).strip(), "# the end"]
    assert lines[5].startswith("fingerprint:")
    assert file.stat().st_mode & 0o7777 == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["worker.keys"]


def test_a_change_that_leaves_no_ring_is_not_written(file: Path) -> None:
    """The last key stays."""
    with pytest.raises(KeyRingError, match="holds no key"):
        rewrite(file, lambda text: without(text, "old"))
    assert file.read_text() == _line("old", 1)


def test_a_full_disk_leaves_the_ring_as_it_was(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole or not at all."""

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(KeyRingError, match="No space left"):
        rewrite(file, lambda text: with_new_key(text, NOW)[0])
    assert file.read_text() == _line("old", 1)
    assert [path.name for path in file.parent.iterdir()] == ["worker.keys"]


def test_a_draft_of_a_dead_process_is_replaced(file: Path) -> None:
    """What a kill left beside the ring is in nobody's way."""
    _write(file.with_name(".worker.keys.new"), "half")
    rewrite(file, lambda text: with_new_key(text, NOW)[0])
    assert KeyRing.parse(file.read_text(), "ring").kids[1:] == ("old",)
    assert [path.name for path in file.parent.iterdir()] == ["worker.keys"]


def test_a_ring_is_not_written_over_another_file(tmp_path: Path) -> None:
    """`--out` names a new file."""
    (tmp_path / "there").write_text("precious")
    with pytest.raises(KeyRingError, match="--out"):
        write_new(tmp_path / "there", "text")
    assert (tmp_path / "there").read_text() == "precious"
