"""Every verb explains itself, stands in the documentation, and is imported only when it is called."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Verb
from worker.cli.app import VERBS, load

_ROOT = Path(__file__).parents[2]
_OTHERS = {"alembic", "apscheduler", "cryptography", "jobs.sync", "requests", "sqlalchemy.dialects.postgresql"}
_HEAVY = {"alembic", "apscheduler", "cryptography", "pydantic", "requests", "sqlalchemy"}


def commands() -> Iterator[tuple[str, Any]]:
    """Yields every command with the words that call it."""
    for name in VERBS:
        command = load(name)
        beneath = getattr(command, "commands", {})
        yield from ((f"{name} {part}", one) for part, one in beneath.items()) if beneath else [(name, command)]


COMMANDS = dict(commands())


@pytest.mark.parametrize("words", COMMANDS)
def test_each_command_has_help_with_an_example(worker: Verb, words: str) -> None:
    """`--help` tells what it does, and shows a command line that begins with its own words."""
    said = worker(*words.split(), "--help", columns=80)
    assert said.code == 0
    assert f"Usage: worker {words}" in said.out
    assert COMMANDS[words].help.splitlines()[0].split()[0] in said.out
    assert re.search(rf"Examples?: `worker {words}\b", COMMANDS[words].epilog), "no example"
    assert "Example" in said.out
    assert max(map(len, said.out.splitlines())) <= 80


def test_each_option_has_help() -> None:
    """No option or argument stands without a word."""
    bare = [
        f"{words} {parameter.name}"
        for words, command in COMMANDS.items()
        for parameter in command.params
        if not getattr(parameter, "help", None)
    ]
    assert bare == []


def test_the_list_of_verbs_is_whole(worker: Verb) -> None:
    """`worker --help` has each verb on one line, and tells the exit codes."""
    said = worker("--help", columns=80)
    for name, verb in VERBS.items():
        assert re.search(rf"│ {name} +{re.escape(verb.summary)} +│", said.out)
    assert "78 wrong configuration" in said.out


@pytest.mark.parametrize("words", COMMANDS)
def test_each_command_is_documented(words: str) -> None:
    """It stands, as it is typed, in README.md or below docs/."""
    pages = [_ROOT / "README.md", *(_ROOT / "docs").glob("*.md")]
    text = "\n".join(page.read_text() for page in pages)
    assert re.search(rf"\bworker {words}\b", text), f"`worker {words}` stands nowhere in README.md or docs/"


def test_help_imports_nothing_heavy() -> None:
    """What a list of verbs does not need is not imported for it: it answers in a fraction of a second."""
    code = "import sys, worker.cli.app as command; sys.argv = ['worker', '--help']\ntry: command.main()\n"
    code += "except SystemExit: sys.stderr.write(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=90)
    assert "worker.cli.app" in done.stderr.split()
    assert _HEAVY.isdisjoint(done.stderr.split())


def test_a_listing_imports_what_it_reads_with_alone() -> None:
    """No job, no HTTP, no cipher, and the dialect of no database but the one that is open."""
    code = "import sys; from worker.cli.app import load; load('history'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=90)
    assert "sqlalchemy" in done.stdout.split()
    assert _OTHERS.isdisjoint(done.stdout.split())


def test_the_daemon_loads_nothing_that_paints_a_terminal() -> None:
    """What it loads it keeps, for months."""
    code = "import sys; from worker.cli.app import load; load('run'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=90)
    assert "structlog" in done.stdout.split()
    assert {"rich", "pygments"}.isdisjoint(done.stdout.split())


@pytest.mark.parametrize(("group", "shown"), [("", "Look"), ("account", "login"), ("keys", "init"), ("db", "upgrade")])
def test_no_verb_shows_help(worker: Verb, group: str, shown: str) -> None:
    """A group without a verb is a wrong usage that shows what there is."""
    said = worker(*group.split())
    assert (said.code, shown in said.out) == (2, True)


def test_a_misspelt_verb_is_guessed(worker: Verb) -> None:
    """Exit 2, with the verb that was meant."""
    said = worker("histry")
    assert (said.code, said.out) == (2, "")
    assert "Did you mean 'history'?" in said.err


def test_version(worker: Verb) -> None:
    """`--version` tells name and version."""
    said = worker("--version")
    assert (said.code, said.err) == (0, "")
    assert re.fullmatch(r"integration-worker \d+\.\d+\.\d+\n", said.out)


@pytest.mark.usefixtures("database")
def test_a_terminal_without_the_characters_gets_their_names() -> None:
    """In a locale that is not UTF-8 a picture, or a far end's words, were a fault of the worker."""
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "worker", "plan"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=90, env=environment)
    assert (done.returncode, "fault" in done.stderr) == (0, False)
    assert "\\u25cf" in done.stdout


def _in_a_shell(words: str) -> subprocess.CompletedProcess[bytes]:
    """Runs a verb with its output where a shell sends it."""
    command = f"unset PYTHONUNBUFFERED; {shlex.quote(sys.executable)} -m worker {words}"
    return subprocess.run(["bash", "-c", command], capture_output=True, check=False, timeout=90)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("words", ["schema", "jobs", "jobs --json"])
def test_output_that_nobody_takes_is_no_fault(words: str) -> None:
    """A full disk is told of; a closed output takes everything."""
    full = _in_a_shell(f"{words} > /dev/full")
    assert (full.returncode, full.stderr) == (1, b"error: the output cannot be written: No space left on device\n")
    closed = _in_a_shell(f"{words} >&-")
    assert (closed.returncode, b"error" in closed.stderr) == (0, False)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    "words", [r"history $'\xff'", r"trigger devices --param $'x=\xff'", r"pause devices --why $'\xff'"]
)
def test_bytes_that_are_no_text_are_wrong_usage(words: str) -> None:
    """The argument is shown, and not the statement that could not take it."""
    said = _in_a_shell(words)
    assert (said.returncode, said.stdout) == (2, b"")
    assert b"expected text in UTF-8" in said.stderr
    assert b"INSERT" not in said.stderr
