"""Times, lengths, numbers and documents as people and programs read them."""

from datetime import UTC, datetime, timedelta, timezone

import orjson
import pytest

from worker.cli.output import ago, clock, fail, harmless, many, number, print_json, span
from worker.vault.secret import Secret


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0123, "12ms"), (1, "1.0s"), (9.94, "9.9s"), (59, "59s"), (150, "2m"), (7300, "2h"), (200_000, "2d")],
)
def test_a_length_has_one_unit(seconds: float, text: str) -> None:
    """The largest that fits."""
    assert span(seconds) == text


def test_a_moment_is_told_from_now() -> None:
    """Ago, now, or in."""
    now = datetime.now(UTC)
    assert ago(now) == "now"
    assert ago(now - timedelta(seconds=30.2)) == "30s ago"
    assert ago(now + timedelta(minutes=10, seconds=1)) == "in 10m"


def test_a_clock_is_utc() -> None:
    """Whatever the zone of the moment."""
    assert clock(datetime(2026, 11, 23, 1, 2, 3, tzinfo=timezone(timedelta(hours=1)))) == "2026-11-23 00:02:03Z"


def test_numbers() -> None:
    """Thousands are set apart; one is one."""
    assert (number(1234567), many(1, "page"), many(2000, "page")) == ("1,234,567", "1 page", "2,000 pages")


def test_ids_are_strings_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    """An integer that JavaScript and jq 1.6 would round is a string, however deep; others stay numbers."""
    print_json({"id": 2**53, "rows": [{"run_id": 250_696_888_751_087_767, "read": 2**53 - 1, "ok": True}]})
    assert orjson.loads(capsys.readouterr().out) == {
        "id": "9007199254740992",
        "rows": [{"run_id": "250696888751087767", "read": 9007199254740991, "ok": True}],
    }


def test_secrets_and_control_characters_are_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither in tables nor in errors nor in documents."""
    secret = Secret("correct horse battery staple")
    assert harmless(f"a\x1b[31m{secret.reveal()}\x9b") == "a�[31m***�"
    assert harmless("a\u202eb\u2028c\u2066") == "a�b�c�"
    fail(f"it said {secret.reveal()} \x1b[2J")
    print_json({"note": f"it said {secret.reveal()}"})
    told = capsys.readouterr()
    assert "horse" not in told.out + told.err
    assert "\x1b[2J" not in told.err
