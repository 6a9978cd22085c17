"""What docs/operations.md names is there: verbs, settings, signals, events, exit codes."""

import re
from pathlib import Path

from worker.cli.app import VERBS
from worker.cli.ending import EXIT_CONFIGURATION
from worker.daemon.signals import ACTING
from worker.model.listening import Event
from worker.watch.crashes import EXIT_FAULT
from worker.wiring.change import AT_START_ONLY

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/operations.md").read_text()
UNIT = (ROOT / "deploy/systemd/integration-worker.service").read_text()


def _part(heading: str) -> str:
    return PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def test_every_verb_it_names_is_one_of_ours() -> None:
    """What a person types in trouble has to work."""
    named = set(re.findall(r"`worker ([a-z]+)", PAGE))
    assert named <= set(VERBS)
    assert {"check", "reload", "health", "explain"} <= named


def test_every_signal_is_told_of() -> None:
    """The table has those that the daemon acts on, and no other."""
    rows = re.findall(r"^\| (.*?) \|", _part("Signals"), re.MULTILINE)
    assert set(re.findall(r"`([A-Z\d]+)`", " ".join(rows))) == {number.name.removeprefix("SIG") for number in ACTING}


def test_what_waits_for_the_next_start_is_listed() -> None:
    """Each key that a reload cannot take up."""
    (line,) = re.findall(r"\*\*At the next start only\*\*: (.*)\.$", _part("Reload"), re.MULTILINE)
    assert tuple(re.findall(r"`([\w.]+)`", line)) == AT_START_ONLY


def test_every_event_it_names_is_emitted() -> None:
    """By its name in the log."""
    known = {kind.name for kind in Event.__subclasses__()}
    named = set(re.findall(r"`((?:account|configuration|daemon|log|run|tick|worker)\.[a-z_]+)`", PAGE))
    assert named - {*AT_START_ONLY, "worker.keys", "worker.db"} <= known


def test_every_setting_of_the_unit_it_names_is_there() -> None:
    """`DynamicUser` and the like stand in the unit."""
    named = re.findall(r"`([A-Z][A-Za-z]+[a-z])`", _part("Under systemd"))
    assert len(named) >= 4
    assert [name for name in named if f"\n{name}=" not in UNIT] == []


def test_the_exit_codes_are_ours() -> None:
    """The table names the codes of faults and of wrong set-ups; the unit leaves the latter alone."""
    codes = re.findall(r"^\| (\d+) \|", _part("Exit codes"), re.MULTILINE)
    assert codes == ["0", "1", "2", str(EXIT_FAULT), str(EXIT_CONFIGURATION)]
    assert f"RestartPreventExitStatus=2 {EXIT_CONFIGURATION}\n" in UNIT
