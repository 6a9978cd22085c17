"""Sealed values open where they were sealed, unchanged, and nowhere else."""

import base64
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.model.errors import SealBroken
from worker.vault.cipher import Cipher, Sealed, kid_of
from worker.vault.keyring import KeyRing
from worker.vault.secret import Secret


def _ring(*kids: str) -> KeyRing:
    keys = {kid: base64.b64encode(kid.encode().ljust(32, b".")).decode() for kid in kids}
    return KeyRing.parse("\n".join(f"{kid}:{key}" for kid, key in keys.items()), "ring")


CIPHER = Cipher(_ring("new", "old"), "installation-1")
SEALED = CIPHER.seal(b"the token", table="tokens", record="tangoe", generation=3)


@given(st.binary(max_size=2000), st.text(max_size=20), st.text(max_size=20), st.integers(0, 2**63 - 1))
def test_what_is_sealed_opens(plain: bytes, table: str, record: str, generation: int) -> None:
    """All bytes survive the round trip, for any place."""
    sealed = CIPHER.seal(plain, table=table, record=record, generation=generation)
    assert CIPHER.open(sealed, table=table, record=record, generation=generation) == plain
    assert kid_of(sealed) == "new"


@given(st.integers(0, len(SEALED) - 1), st.integers(1, 255))
def test_any_changed_byte_is_refused(at: int, flip: int) -> None:
    """No byte of a sealed value can be changed."""
    changed = bytearray(SEALED)
    changed[at] ^= flip
    with pytest.raises(SealBroken):
        CIPHER.open(bytes(changed), table="tokens", record="tangoe", generation=3)


@given(st.integers(0, len(SEALED) - 1), st.binary(min_size=1, max_size=3))
def test_a_cut_or_grown_value_is_refused(length: int, more: bytes) -> None:
    """A value that lost or gained bytes does not open."""
    for wrong in (SEALED[:length], SEALED + more):
        with pytest.raises(SealBroken):
            CIPHER.open(wrong, table="tokens", record="tangoe", generation=3)


@given(st.binary(max_size=80))
def test_bytes_that_were_never_sealed_are_refused(data: bytes) -> None:
    """Whatever lies in the column, the answer is one error of ours."""
    with pytest.raises(SealBroken):
        CIPHER.open(data, table="tokens", record="tangoe", generation=3)


@given(
    st.tuples(st.text(max_size=6), st.text(max_size=6), st.text(max_size=6), st.integers(0, 99)),
    st.tuples(st.text(max_size=6), st.text(max_size=6), st.text(max_size=6), st.integers(0, 99)),
)
def test_a_value_opens_only_in_its_own_place(here: tuple[str, str, str, int], there: tuple[str, str, str, int]) -> None:
    """Another installation, table, record or generation is refused, also where names run together alike."""
    installation, table, record, generation = here
    sealed = Cipher(_ring("k"), installation).seal(b"x", table=table, record=record, generation=generation)
    elsewhere = Cipher(_ring("k"), there[0])
    if here == there:
        assert elsewhere.open(sealed, table=there[1], record=there[2], generation=there[3]) == b"x"
    else:
        with pytest.raises(SealBroken):
            elsewhere.open(sealed, table=there[1], record=there[2], generation=there[3])


@pytest.mark.parametrize(
    "place",
    [
        {"table": "tokenstangoe", "record": "", "generation": 3},
        {"table": "tokens", "record": "tangoe", "generation": 2},
        {"table": "tokens", "record": "servicenow", "generation": 3},
        {"table": "accounts", "record": "tangoe", "generation": 3},
    ],
)
def test_a_moved_value_is_told_by_its_place(place: dict[str, str | int]) -> None:
    """The error names where the value was found and with which key it was tried."""
    with pytest.raises(SealBroken) as caught:
        CIPHER.open(SEALED, **place)  # type: ignore[arg-type]
    assert f"{place['table']} holds for {place['record']}, generation {place['generation']}" in str(caught.value)
    assert "key new" in str(caught.value)
    assert caught.value.__cause__ is None


def test_old_keys_open_and_the_active_one_seals() -> None:
    """After a new key was put on top, values of the old one still open."""
    before = Cipher(_ring("old"), "i").seal(b"x", table="t", record="r", generation=1)
    after = Cipher(_ring("new", "old"), "i")
    assert after.open(before, table="t", record="r", generation=1) == b"x"
    assert kid_of(before) == "old"
    assert kid_of(after.seal(b"x", table="t", record="r", generation=2)) == "new"


def test_an_unknown_key_is_named() -> None:
    """The error says which key is missing and which are there."""
    with pytest.raises(SealBroken, match="Key new is not in the key ring, which has other"):
        Cipher(_ring("other"), "installation-1").open(SEALED, table="tokens", record="tangoe", generation=3)


def test_equal_values_are_sealed_differently() -> None:
    """Nothing can be read from two sealed values being alike."""
    assert CIPHER.seal(b"x", table="t", record="r", generation=1) != CIPHER.seal(
        b"x", table="t", record="r", generation=1
    )


def test_the_framing_is_as_written_down() -> None:
    """Format, length of the id, id, nonce, ciphertext and tag: databases of today open tomorrow."""
    assert SEALED[:6] == b"v1\x03new"
    assert len(SEALED) == 6 + 12 + len(b"the token") + 16
    known = Sealed(
        bytes.fromhex(
            "7631036e6577303030303030303030303030f1cb09344245ae9a573a202f"
            "01964cbc7650a241e99d1b4d16"  # computed with hmac alone, not with this program
        )
    )
    assert CIPHER.open(known, table="tokens", record="tangoe", generation=3) == b"the token"


def test_check_values_tell_the_right_key() -> None:
    """A key of the same id with other bytes, another installation and damaged bytes are all noticed."""
    value = CIPHER.check_value("old")
    assert CIPHER.verify_check_value("old", value)
    assert not CIPHER.verify_check_value("new", value)
    assert not CIPHER.verify_check_value("old", value[:-1])
    assert not CIPHER.verify_check_value("old", b"")
    assert not Cipher(_ring("new", "old"), "installation-2").verify_check_value("old", value)
    wrong = KeyRing.parse(f"old:{base64.b64encode(os.urandom(32)).decode()}", "ring")
    assert not Cipher(wrong, "installation-1").verify_check_value("old", value)


def test_checking_a_key_we_do_not_have_is_another_fault() -> None:
    """A missing key is not reported as a wrong one."""
    with pytest.raises(SealBroken, match="Key gone"):
        CIPHER.check_value("gone")
    with pytest.raises(SealBroken, match="Key gone"):
        CIPHER.verify_check_value("gone", b"x" * 40)


def test_a_fingerprint_tells_only_change() -> None:
    """It follows each secret and their borders, and not the values themselves."""
    mark = CIPHER.fingerprint(Secret("password-1"), "client")
    assert mark == CIPHER.fingerprint("password-1", Secret("client"))
    assert mark != CIPHER.fingerprint("password-2", "client")
    assert mark != CIPHER.fingerprint("password-1c", "lient")
    assert mark != Cipher(_ring("new", "old"), "installation-2").fingerprint("password-1", "client")
    assert len(mark) == 32
    assert "password" not in mark


def test_a_fingerprint_outlives_a_rotation() -> None:
    """A new active key does not look like a changed password; a ring cut by hand, without its root, does."""
    mark = CIPHER.fingerprint("password-1")
    assert Cipher(_ring("newest", "new", "old"), "installation-1").fingerprint("password-1") == mark
    assert Cipher(_ring("newest", "new"), "installation-1").fingerprint("password-1") != mark
