"""What deploy/ ships: the unit is as tight as it says, and what it starts is there."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from worker.cli.app import VERBS
from worker.model.options import WorkerOptions

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy/systemd/integration-worker.service"
COMPOSE = ROOT / "deploy/container/compose.yaml"
CONTAINERFILE = ROOT / "deploy/container/Containerfile"
_MOST = 1.5  # of systemd's exposure level, 0 to 10


def _settings() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in UNIT.read_text().splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_the_unit_is_tight() -> None:
    """By systemd's own measure, offline."""
    command = ["systemd-analyze", "security", "--offline=yes", "--no-pager", str(UNIT)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    (level,) = re.findall(r"Overall exposure level for .*: ([\d.]+)", said)
    assert float(level) <= _MOST


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_the_unit_is_understood() -> None:
    """No line is unknown to systemd; that nothing is installed here is all it may find."""
    said = subprocess.run(["systemd-analyze", "verify", str(UNIT)], capture_output=True, text=True, check=False).stderr
    assert [line for line in said.splitlines() if "is not executable: No such file" not in line] == []


def test_the_unit_leaves_time_to_drain_and_starts_a_verb() -> None:
    """The manager waits longer than the daemon drains by default, and the command is one of ours."""
    settings = _settings()
    assert float(settings["TimeoutStopSec"][0]) > float(WorkerOptions().drain_timeout) + 15
    assert settings["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    program, verb, *_ = shlex.split(settings["ExecStart"][0])
    assert program.endswith("/bin/worker")
    assert verb in VERBS


def test_the_container_starts_and_checks_verbs_of_ours_as_nobody_special() -> None:
    """It runs under a number that is not root's; what it copies is there."""
    lines = [line for line in CONTAINERFILE.read_text().splitlines() if line and not line.startswith("#")]
    text = "\n".join(lines)
    assert re.search(r"^USER ([1-9]\d*):([1-9]\d*)$", text, re.MULTILINE)
    assert 'ENTRYPOINT ["worker"]' in lines
    commands = re.findall(r'CMD \["(?:worker", ")?(\w+)"\]', text)
    assert commands == ["health", "run"]
    assert set(commands) <= set(VERBS)
    copied = [
        name for line in lines if line.startswith("COPY ") and "--from" not in line for name in line.split()[1:-1]
    ]
    assert all((ROOT / name).exists() for name in copied)


_ROOTS_OWN = {"ADD"}  # fetches from anywhere; COPY says what it takes


def _instructions() -> list[tuple[str, str]]:
    """Returns the instructions of the container's file as a builder reads them: continued lines joined."""
    text = CONTAINERFILE.read_text().replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines()]
    return [tuple(line.split(maxsplit=1)) for line in lines if line and not line.startswith("#")]  # type: ignore[misc]


def test_the_container_keeps_to_the_rules() -> None:
    """Nothing runs as root in the last stage, commands are in exec form, TERM stops it, a verb tells its health."""
    given = _instructions()
    assert given[0][0] == "FROM"
    assert not _ROOTS_OWN & {name for name, _ in given}
    last = given[max(number for number, (name, _) in enumerate(given) if name == "FROM") :]
    names = [name for name, _ in last]
    assert "RUN" not in names[names.index("USER") :], "what runs after USER cannot be written by it"
    by_name = dict(last)
    assert by_name["STOPSIGNAL"] == "SIGTERM"
    assert by_name["HEALTHCHECK"].endswith('CMD ["worker", "health"]')
    assert by_name["ENTRYPOINT"].startswith("[")
    assert by_name["VOLUME"] == by_name["WORKDIR"]


def test_the_compose_file_is_as_tight_as_the_unit() -> None:
    """A read-only root, no capability, no new privilege, bounds, and more time to stop than the drain takes."""
    text = COMPOSE.read_text()
    for line in ("read_only: true", "cap_drop: [ALL]", 'security_opt: ["no-new-privileges:true"]', "tmpfs: [/tmp]"):
        assert f"    {line}\n" in text
    assert re.search(r"^    (pids|mem)_limit: ", text, re.MULTILINE)
    (grace_s,) = re.findall(r"stop_grace_period: (\d+)s", text)
    assert float(grace_s) > float(WorkerOptions().drain_timeout) + 15
    (user,) = re.findall(r'user: "([\d:]+)"', text)
    assert f"USER {user}\n" in CONTAINERFILE.read_text()
