"""What `worker simulate` tells of a span of time."""

from pathlib import Path

import pytest

from tests.cli.conftest import CONFIG, Verb

DAILY = """
[jobs.nightly]
type = "request"
schedule = { at = "02:30" }
timezone = "Europe/Berlin"
account = "tangoe"
method = "GET"
path = "/x"
"""


@pytest.fixture(autouse=True)
def installed(folder: Path) -> None:
    """An installation that never ran: there is no database, and none is made."""
    (folder / "config.toml").write_text(CONFIG + DAILY)


def test_a_week_over_a_night_of_change(worker: Verb, folder: Path) -> None:
    """Each day one run; the night is counted; nothing is left behind."""
    said = worker("simulate", "nightly", "--from", "2027-03-25", "--to", "2027-04-01", "--json")
    (row,) = said.json["jobs"]
    assert (row["ticks"], row["succeeded"], row["nights"], row["reasons"]) == (7, 7, 1, {})
    assert not (folder / "worker.db").exists()


def test_a_downtime_is_missed_and_made_up_for(worker: Verb) -> None:
    """Three days down: two ticks are missed, the last one is made up for."""
    down = ("--down", "2027-03-26T12:00/3d")
    said = worker("simulate", "nightly", "--from", "2027-03-25", "--to", "2027-04-01", *down, columns=100)
    assert said.code == 0
    assert "downtime 2" in said.out
    assert "7 ticks from 2027-03-25" in said.out


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--from", "2027-03-25", "--to", "2027-03-25"), "after --from"),
        (("--from", "2027-03-25", "--to", "2027-04-01", "--fail", "half"), "5%"),
        (("--from", "2027-03-25", "--to", "2027-04-01", "--down", "soon"), "2027-03-01T00:00/2h"),
        (("--from", "2027-03-25", "--to", "2027-04-01", "--duration", "long"), "30s"),
    ],
)
def test_what_cannot_be_read_is_an_error_of_usage(worker: Verb, words: tuple[str, ...], what: str) -> None:
    """The error says what was expected."""
    said = worker("simulate", *words)
    assert said.code == 2
    assert what in said.err
