"""Tables `tokens` and `accounts`: leases, compare-and-set and health, on both databases."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from worker.model.records import Health, TokenRow
from worker.store import accounts, tokens
from worker.store.database import Database
from worker.store.tokens import Claim, Failure, NewToken

NOW = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)
CLAIM = Claim("a", 0, None, 101, "one", NOW, NOW + timedelta(seconds=40))
NEW = NewToken("a", 101, 0, 1, b"sealed", "k1", NOW, NOW + timedelta(hours=1), NOW + timedelta(minutes=48), "print")
FAILED = Failure("a", 101, 3, NOW + timedelta(minutes=5), "503", "print")


@pytest.fixture
def leased(database: Database) -> Database:
    """A database in which account `a` is being renewed by attempt 101."""
    with database.write() as connection:
        assert tokens.take_lease(connection, CLAIM)
    return database


def row(database: Database) -> TokenRow:
    """Returns the row of account `a`."""
    with database.read() as connection:
        return tokens.load(connection, "a")


def test_no_row_is_generation_zero(database: Database) -> None:
    """An account that never asked has a row of defaults, and no health."""
    assert row(database) == TokenRow("a")
    with database.read() as connection:
        assert accounts.get(connection, "a") is None
        assert tokens.listing(connection) == []


def test_lease_excludes_until_it_ends(leased: Database) -> None:
    """A second claim fails while the lease runs and takes it over once it is past."""
    later = replace(CLAIM, doubted=101, attempt_id=102, owner="two")
    with leased.write() as connection:
        assert not tokens.take_lease(connection, later)
        assert not tokens.take_lease(connection, replace(later, now=CLAIM.until))
        assert tokens.take_lease(connection, replace(later, now=CLAIM.until + timedelta(microseconds=1)))
    assert (row(leased).attempt_id, row(leased).lease_owner) == (102, "two")


@pytest.mark.parametrize("stale", [{"generation": 1}, {"doubted": None}, {"doubted": 100}])
def test_claim_on_a_changed_row_fails(leased: Database, stale: dict[str, int | None]) -> None:
    """A claimant whose row has moved on has to read it again, lease or not."""
    past = CLAIM.until + timedelta(seconds=1)
    claim = replace(CLAIM, doubted=101, attempt_id=102, now=past)
    with leased.write() as connection:
        assert not tokens.take_lease(connection, replace(claim, **stale))  # type: ignore[arg-type]
    assert row(leased).attempt_id == 101


def test_save_ends_lease_and_attempt(leased: Database) -> None:
    """A stored token leaves no lease, no attempt and no failure behind."""
    with leased.write() as connection:
        assert tokens.save(connection, NEW)
        accounts.set_health(connection, "a", Health.FRESH, None, NOW)
    stored = row(leased)
    assert stored == TokenRow(
        "a",
        generation=1,
        sealed=b"sealed",
        key_id="k1",
        issued_at=NOW,
        expires_at=NEW.expires_at,
        refresh_at=NEW.refresh_at,
        secret_fingerprint="print",
        health=Health.FRESH,
        refreshed_at=NOW,
    )


def test_save_may_be_repeated(leased: Database) -> None:
    """After a commit whose outcome is unknown the same save says that it is stored."""
    for _ in range(2):
        with leased.write() as connection:
            assert tokens.save(connection, NEW)
    assert row(leased).generation == 1


@pytest.mark.parametrize("change", [{"attempt_id": 100}, {"started_from": 5, "generation": 6}])
def test_lost_lease_saves_nothing(leased: Database, change: dict[str, int]) -> None:
    """Whoever is not the attempt of this generation changes nothing."""
    before = row(leased)
    with leased.write() as connection:
        assert not tokens.save(connection, replace(NEW, sealed=b"other", **change))  # type: ignore[arg-type]
    assert row(leased) == before


@pytest.mark.parametrize("in_doubt", [False, True])
def test_release_keeps_only_a_doubtful_attempt(leased: Database, in_doubt: bool) -> None:
    """A failure ends the lease for all; the attempt stays where the server may have acted."""
    with leased.write() as connection:
        assert tokens.release(connection, replace(FAILED, in_doubt=in_doubt))
    failed = row(leased)
    assert (failed.lease_owner, failed.lease_until) == (None, None)
    assert failed.attempt_id == (101 if in_doubt else None)
    assert (failed.failures, failed.last_error, failed.next_attempt_at) == (3, "503", FAILED.next_attempt_at)


def test_lost_lease_releases_nothing(leased: Database) -> None:
    """A failure of an attempt that was taken over is nobody's business any more."""
    with leased.write() as connection:
        assert not tokens.release(connection, replace(FAILED, attempt_id=100))
    assert row(leased).failures == 0


def test_renewed_lease_is_a_new_attempt(leased: Database) -> None:
    """The holder goes on with another attempt; the one before can store nothing any more."""
    further = replace(CLAIM, doubted=101, attempt_id=102, until=CLAIM.until + timedelta(seconds=40))
    with leased.write() as connection:
        assert tokens.renew_lease(connection, 101, further, b"without refresh token", "k2")
        assert not tokens.renew_lease(connection, 101, further, None)
        assert not tokens.save(connection, NEW)
    renewed = row(leased)
    assert (renewed.attempt_id, renewed.lease_until, renewed.sealed) == (102, further.until, b"without refresh token")
    assert renewed.key_id == "k2"
    with leased.write() as connection:
        assert tokens.renew_lease(connection, 102, replace(further, attempt_id=103), None)
    assert row(leased).sealed == b"without refresh token"


def test_sealing_anew_changes_only_what_was_read(leased: Database) -> None:
    """Another generation, another key and other bytes are each left alone; lease and times stay."""
    with leased.write() as connection:
        assert tokens.save(connection, NEW)
    stored = row(leased)
    with leased.write() as connection:
        for other in ({"generation": 2}, {"key_id": "k2"}, {"key_id": None}, {"sealed": b"other"}, {"account": "b"}):
            assert not tokens.reseal(connection, replace(stored, **other), b"anew", "k3")
        assert tokens.reseal(connection, stored, b"anew", "k3")
        assert not tokens.reseal(connection, stored, b"again", "k3")
    assert row(leased) == replace(stored, sealed=b"anew", key_id="k3")


def test_a_running_lease_is_under_way(leased: Database) -> None:
    """Until its end, by the lease clock."""
    with leased.read() as connection:
        assert tokens.under_way(connection, CLAIM.until) == {"a": 101}
        assert tokens.under_way(connection, CLAIM.until + timedelta(microseconds=1)) == {}


def test_listing_joins_health(leased: Database) -> None:
    """The listing shows each account's row with its health."""
    with leased.write() as connection:
        tokens.take_lease(connection, replace(CLAIM, account="b"))
        accounts.set_health(connection, "b", Health.DEGRADED, "503", NOW)
    with leased.read() as connection:
        listed = tokens.listing(connection)
    assert [(one.account, one.health, one.reason) for one in listed] == [
        ("a", Health.UNKNOWN, None),
        ("b", Health.DEGRADED, "503"),
    ]


def test_locked_reads_the_same(leased: Database) -> None:
    """The locked row is the row."""
    with leased.write() as connection:
        assert tokens.locked(connection, "a") == tokens.load(connection, "a")
        assert tokens.locked(connection, "nobody") == TokenRow("nobody")


def test_health_moves_its_instant_only_when_it_changes(database: Database) -> None:
    """`changed_at` tells since when an account is as it is."""
    with database.write() as connection:
        for minutes, health, reason in ((0, Health.FRESH, None), (1, Health.FRESH, None), (2, Health.BLOCKED, "no")):
            accounts.set_health(connection, "a", health, reason, NOW + timedelta(minutes=minutes))
            state = accounts.get(connection, "a")
            assert state is not None
            assert state.changed_at == NOW + timedelta(minutes=2 if health is Health.BLOCKED else 0)
        assert [(one.name, one.health, one.reason) for one in accounts.listing(connection)] == [
            ("a", Health.BLOCKED, "no")
        ]


def test_unusable_leaves_out_what_is_due_again(database: Database) -> None:
    """A refused client counts as usable once its hour is over; a refused password never does by itself."""
    with database.write() as connection:
        for name, health in (
            ("a", Health.BLOCKED),
            ("b", Health.BLOCKED),
            ("c", Health.NEEDS_LOGIN),
            ("d", Health.FRESH),
        ):
            tokens.take_lease(connection, replace(CLAIM, account=name))
            accounts.set_health(connection, name, health, "why", NOW)
        tokens.release(connection, FAILED)
        accounts.set_health(connection, "e", Health.UNDECRYPTABLE, "key", NOW)
    with database.read() as connection:
        assert list(accounts.unusable(connection, NOW)) == ["a", "b", "c", "e"]
        assert list(accounts.unusable(connection, NOW + timedelta(minutes=6))) == ["b", "c", "e"]


def test_forgetting_keeps_the_generation(leased: Database) -> None:
    """The next token follows the one that was deleted; whoever lost the lease deletes nothing."""
    with leased.write() as connection:
        assert tokens.save(connection, NEW)
        assert tokens.take_lease(connection, replace(CLAIM, generation=1, attempt_id=102))
        assert not tokens.forget(connection, "a", 101)
        assert tokens.forget(connection, "a", 102)
    left = row(leased)
    assert (left.generation, left.sealed, left.expires_at, left.lease_until) == (1, None, None, None)


@pytest.mark.parametrize(
    ("health", "after", "failures"),
    [
        (Health.BLOCKED, Health.FRESH, 0),
        (Health.DEGRADED, Health.FRESH, 0),
        (Health.UNDECRYPTABLE, Health.UNDECRYPTABLE, 3),
    ],
)
def test_a_reset_clears_block_and_backoff(leased: Database, health: Health, after: Health, failures: int) -> None:
    """But for a token that does not open, which no further try would mend."""
    with leased.write() as connection:
        assert tokens.save(connection, NEW)
        assert tokens.take_lease(connection, replace(CLAIM, generation=1))
        assert tokens.release(connection, FAILED)
        accounts.set_health(connection, "a", health, "why", NOW)

        assert accounts.reset(connection, "a", NOW) is health

    assert (row(leased).health, row(leased).failures) == (after, failures)
    assert (row(leased).next_attempt_at is None) is (failures == 0)


def test_a_reset_of_an_account_that_never_asked_changes_nothing(database: Database) -> None:
    """There is nothing to clear."""
    with database.write() as connection:
        assert accounts.reset(connection, "a", NOW) is Health.UNKNOWN
        assert accounts.get(connection, "a") is None
