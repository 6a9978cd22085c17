"""Rotating keys while keepers refresh; tokens that were changed, moved or brought from elsewhere."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
import sqlalchemy as sa

from tests.auth.keeping import Desk
from worker.auth.keeper import Keeper
from worker.auth.rotation import Rotation
from worker.model.errors import KeyInUse, TokenUndecryptable
from worker.model.events import AccountRecovered, TokenRefreshed, TokenRefreshFailed
from worker.model.records import Health
from worker.model.secretref import SecretRef
from worker.store import keyring, tokens
from worker.store.database import Database, open_database
from worker.vault.cipher import Cipher, kid_of
from worker.vault.keyring import create
from worker.vault.livering import LiveRing, follow
from worker.vault.ringfile import rewrite, with_new_key, without

INSTALLATION = "test-installation"  # as the desk's keepers have it


@dataclass
class Keys:
    """A key ring's file, and what another process can do to it and to the desk's database."""

    file: Path
    database: Database
    waits: list[float] = field(default_factory=list)

    def ring(self) -> LiveRing:
        """Returns the ring as another process would read it."""
        return follow(SecretRef(file=self.file))

    def cipher(self) -> Cipher:
        """Returns a cipher of that process."""
        return Cipher(self.ring(), INSTALLATION)

    def rotation(self, on_wait: Callable[[], None] = lambda: None) -> Rotation:
        """Returns a rotation of that process; `on_wait` is called instead of waiting."""

        def wait(seconds: float) -> None:
            self.waits.append(seconds)
            on_wait()

        return Rotation(self.database, self.cipher(), self.ring(), wait=wait)

    def add(self) -> str:
        """Puts a new key on top, and returns its id."""
        rewrite(self.file, lambda text: with_new_key(text, datetime.now(UTC))[0])
        return self.ring().current().active


@pytest.fixture
def keys(tmp_path: Path, database: Database) -> Iterator[Keys]:
    """A ring of one key, and a second way into the same database."""
    create(tmp_path / "worker.keys")
    own = open_database(f"sqlite:///{database.location}")
    yield Keys(tmp_path / "worker.keys", own)
    own.close()


@pytest.fixture
def keeper(desk: Desk, keys: Keys) -> Keeper:
    """A keeper of a daemon that follows the ring, with one token stored."""
    made = desk.keeper(ring=keys.ring())
    made.token()
    return made


def _copied(database: Database, source: str, target: str) -> None:
    """Puts one account's sealed token into another's row."""
    columns = "generation, sealed, key_id, issued_at, expires_at, refresh_at, failures, secret_fingerprint"
    with database.write() as connection:
        connection.execute(sa.text(f"DELETE FROM tokens WHERE account = '{target}'"))
        statement = f"INSERT INTO tokens (account, {columns}) SELECT '{target}', {columns} FROM tokens"
        connection.execute(sa.text(f"{statement} WHERE account = '{source}'"))


def _stored_key(desk: Desk) -> str:
    return kid_of(desk.row().sealed or b"")


def _call_until(generation: int, desk: Desk, keeper: Keeper, failures: list[Exception], done: threading.Event) -> None:
    """Asks for tokens of an hour, one after another, while time flies."""
    try:
        while not done.is_set():
            token = keeper.token(deadline_s=1e6)
            if token.generation == desk.row().generation:
                desk.clock.pass_by(500.0)
            if token.generation >= generation:
                done.set()
    except Exception as error:  # noqa: BLE001  told by the test's assertion
        failures.append(error)
        done.set()


def test_rotation_under_load(desk: Desk, keys: Keys) -> None:
    """Two processes of six threads refresh 40 times while keys go round: no failed call, one request a refresh."""
    keepers = [desk.keeper(ring=keys.ring()), desk.keeper(ring=keys.ring())]
    failures: list[Exception] = []
    done = threading.Event()
    given = [(40, desk, keeper, failures, done) for keeper in keepers for _ in range(6)]
    threads = [threading.Thread(target=_call_until, args=arguments) for arguments in given]
    for thread in threads:
        thread.start()
    rounds = 0
    while not done.is_set():
        keys.add()
        assert keys.rotation().reseal().unopened == {}
        rounds += 1
    for thread in threads:
        thread.join()

    assert failures == []
    assert rounds >= 3
    generation = desk.row().generation
    assert len(desk.told(TokenRefreshed)) == generation
    assert [call.status for call in desk.trail()] == [200] * generation  # a token undone would be refused: 400
    assert desk.told(TokenRefreshFailed) == []
    keys.rotation().reseal()
    assert _stored_key(desk) == keys.ring().current().active


def test_a_daemon_seals_with_the_new_key_at_once(desk: Desk, keys: Keys, keeper: Keeper) -> None:
    """Neither a restart nor a sealed row is needed for that: its file has changed."""
    new = keys.add()

    keeper.token(rejected=1)

    assert _stored_key(desk) == new


def test_sealing_anew_does_not_undo_a_refresh(desk: Desk, keys: Keys, keeper: Keeper) -> None:
    """A row that changed between reading and writing is left to its writer, and looked at again."""
    keys.add()
    stale = desk.row()
    keeper.token(rejected=1)
    fresh = desk.row()

    with keys.database.write() as connection:
        assert not tokens.reseal(connection, stale, b"stale", "k")

    assert desk.row() == fresh
    assert keeper.token().generation == 2


def test_a_refresh_token_that_was_taken_out_is_not_put_back(desk: Desk, keys: Keys, keeper: Keeper) -> None:
    """Within one generation the bytes decide."""
    stale = desk.row()
    with keys.database.write() as connection:
        connection.execute(sa.update(sa.table("tokens", sa.column("sealed"))).values(sealed=b"spent"))
        assert not tokens.reseal(connection, stale, b"stale", "k")
    assert desk.row().sealed == b"spent"


def test_a_rotation_can_be_run_again(desk: Desk, keys: Keys, keeper: Keeper) -> None:
    """What was not finished is seen, is finished, and then there is nothing left to do."""
    new = keys.add()
    rotation = keys.rotation()
    assert rotation.waiting() == ["tangoe"]

    assert (rotation.reseal().key_id, rotation.waiting()) == (new, [])
    assert rotation.reseal().moved == 0
    assert desk.keeper(ring=keys.ring()).token().generation == 1


def test_a_key_is_kept_while_something_needs_it(desk: Desk, keys: Keys, keeper: Keeper) -> None:
    """The active one, and one that still seals a token."""
    old = keys.ring().current().active
    with pytest.raises(KeyInUse, match="is the active key"):
        keys.rotation().release(old)
    keys.add()
    with pytest.raises(KeyInUse, match="account tangoe"):
        keys.rotation().release(old)
    keys.rotation().reseal()
    keys.rotation().release(old)


def test_a_key_is_kept_while_a_rescue_record_needs_it(desk: Desk, keys: Keys, keeper: Keeper) -> None:
    """A token that could not be stored yet is sealed too."""
    old = keys.ring().current().active
    row, moment = desk.row(), "2026-11-23T12:00:00+00:00"
    rescued = {
        "account": "tangoe",
        "attempt_id": 1,
        "started_from": 1,
        "generation": 2,
        "sealed": "djE=",
        "key_id": old,
        "issued_at": moment,
        "expires_at": moment,
        "refresh_at": moment,
        "refresh_expires_at": moment,
        "secret_fingerprint": row.secret_fingerprint,
    }
    (keys.file.parent / "tangoe.token-rescue").write_bytes(orjson.dumps(rescued))
    keys.add()
    keys.rotation().reseal()

    with pytest.raises(KeyInUse, match="rescue record of account tangoe"):
        keys.rotation().release(old)


def test_a_request_under_way_is_waited_for(desk: Desk, keys: Keys, keeper: Keeper) -> None:
    """It may have sealed its token with the key that is to go, a moment ago."""
    old = keys.ring().current().active
    keys.add()
    keys.rotation().reseal()
    row = desk.row()
    with desk.database.write() as connection:
        now = desk.database.lease_now(connection)
        until = now.replace(year=now.year + 1)
        assert tokens.take_lease(connection, tokens.Claim("tangoe", row.generation, None, 7, "other", now, until))

    def save_with_the_old_key() -> None:
        change = sa.text("UPDATE tokens SET lease_until = NULL, attempt_id = NULL, sealed = :sealed, key_id = :old")
        with desk.database.write() as connection:
            connection.execute(change, {"sealed": row.sealed and _under(old, keys), "old": old})

    with pytest.raises(KeyInUse, match="account tangoe"):
        keys.rotation(save_with_the_old_key).release(old)
    assert len(keys.waits) == 1


def _under(kid: str, keys: Keys) -> bytes:
    """Returns a token sealed with an old key of the ring."""
    ring = keys.ring().current()
    text = "\n".join(line for line in keys.file.read_text().splitlines() if line.startswith((kid, "fingerprint")))
    assert kid in ring.kids
    only = type(ring).parse(text, "ring")
    return Cipher(only, INSTALLATION).seal(b"{}", table="tokens", record="tangoe", generation=1)


def test_retiring_disturbs_neither_tokens_nor_blocked_accounts(desk: Desk, keys: Keys, keeper: Keeper) -> None:
    """The key that fingerprints once came from goes: the token stays ours, the secrets stay the refused ones."""
    old = keys.ring().current().active
    mark = desk.row().secret_fingerprint
    keys.add()
    keys.rotation().reseal()
    rewrite(keys.file, lambda text: without(text, old))

    again = desk.keeper(ring=keys.ring())

    assert (keeper.token().generation, again.token().generation) == (1, 1)
    keeper.token(rejected=1)
    assert desk.row().secret_fingerprint == mark
    assert len(desk.trail()) == 2


@pytest.mark.parametrize("case", ["swapped", "another database", "changed", "cut"])
def test_a_token_that_is_not_its_rows_is_refused_and_named(case: str, desk: Desk, keys: Keys, keeper: Keeper) -> None:
    """Its account alone is undecryptable, and is told what to do; the others go on, and rotation leaves it alone."""
    with desk.database.write() as connection:
        sealed = desk.row().sealed or b""
        if case == "swapped":
            sealed = keys.cipher().seal(b"{}", table="tokens", record="servicenow", generation=1)
        elif case == "another database":
            sealed = Cipher(keys.ring(), "elsewhere").seal(b"{}", table="tokens", record="tangoe", generation=1)
        elif case == "changed":
            sealed = sealed[:-1] + bytes([sealed[-1] ^ 1])
        else:
            sealed = sealed[:5]
        connection.execute(sa.text("UPDATE tokens SET sealed = :sealed"), {"sealed": sealed})
    with pytest.raises(TokenUndecryptable, match="account tangoe"):
        desk.keeper(ring=keys.ring()).token()
    assert desk.row().health is Health.UNDECRYPTABLE
    assert "worker account" in str(desk.row().reason)

    keys.add()
    done = keys.rotation().reseal()

    assert (done.moved, list(done.unopened)) == (0, ["tangoe"])
    assert desk.row().sealed == sealed
    assert keys.rotation().waiting() == []


def test_a_copied_row_does_not_stop_the_others(desk: Desk, keys: Keys, keeper: Keeper) -> None:
    """A row pasted under another account's name is refused there; the one it came from is sealed anew."""
    _copied(desk.database, "tangoe", "servicenow")
    new = keys.add()

    done = keys.rotation().reseal()

    assert (done.moved, list(done.unopened)) == (1, ["servicenow"])
    assert "servicenow" in done.unopened["servicenow"]
    assert keeper.token().generation == 1
    assert _stored_key(desk) == new


def test_status_tells_each_key(desk: Desk, keys: Keys, keeper: Keeper) -> None:
    """Active, old, missing, retired and wrong; how many tokens each seals, and whose do not open."""
    first = keys.ring().current().active
    second = keys.add()
    _copied(desk.database, "tangoe", "servicenow")
    now = datetime(2026, 11, 23, tzinfo=UTC)
    cipher = keys.cipher()
    with desk.database.write() as connection:
        keyring.remember(connection, first, "active", cipher.check_value(second), now)
        keyring.remember(connection, "gone", "old", b"", now)
        keyring.remember(connection, "past", "retired", b"", now)

    uses = {use.key_id: use for use in keys.rotation().uses()}

    assert {key: use.state for key, use in uses.items()} == {
        second: "active",
        first: "wrong",
        "gone": "missing",
        "past": "retired",
    }
    assert (uses[first].sealed, uses[first].unopened) == (2, ("servicenow",))
    assert (uses[second].sealed, uses[second].first_seen, uses[second].in_ring) == (0, None, True)
    assert (uses["gone"].first_seen, uses["gone"].in_ring) == (now, False)


def test_a_retired_key_is_remembered_as_such(desk: Desk, keys: Keys) -> None:
    """With when it was seen first, and when it went; an unknown one is no matter."""
    early, late = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 11, 23, tzinfo=UTC)
    with desk.database.write() as connection:
        keyring.remember(connection, "k", "old", b"check", early)

    keys.rotation().forget("k", late)
    keys.rotation().forget("unknown", late)

    with desk.database.read() as connection:
        (row,) = keyring.rows(connection)
    assert row == keyring.KeyRow("k", "retired", b"check", early, late)


def test_an_account_recovers_when_its_key_comes_back(desk: Desk, keys: Keys, keeper: Keeper) -> None:
    """A ring that lost a line by mistake: the account alone stops, and goes on by itself when the line is back."""
    first = keys.ring().current().active
    keys.add()
    both = keys.file.read_text()
    rewrite(keys.file, lambda text: without(text, first))
    daemon = desk.keeper(ring=keys.ring())
    with pytest.raises(TokenUndecryptable, match=f"Key {first} is not in the key ring"):
        daemon.token()
    daemon.attend(desk.row())
    assert desk.row().health is Health.UNDECRYPTABLE

    keys.file.write_text(both)
    daemon.attend(desk.row())

    assert desk.row().health is Health.FRESH
    assert len(desk.told(AccountRecovered)) == 1
    assert daemon.token().generation == 1
