"""Calendars that jobs name: found beside the file that names them, part of the definition, told where broken."""

from pathlib import Path

import pytest

from tests.config.loading import Write
from worker.config.load import load
from worker.model.blackouts import CalendarEvents
from worker.model.errors import ConfigurationError, Problem

_JOB = 'type = "sync"\nsource = { account = "erp", path = "/x" }\ndestination = { table = "t", key = "id" }\n'
_EVENT = "BEGIN:VEVENT\r\nUID:1\r\nDTSTART;VALUE=DATE:20261225\r\nEND:VEVENT\r\n"


def _calendar(folder: Path, events: str = _EVENT) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / "days.ics"
    file.write_text(f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//tests//EN\r\n{events}END:VCALENDAR\r\n", newline="")
    return file


def _problems(file: Path) -> list[Problem]:
    with pytest.raises(ConfigurationError) as caught:
        load(file, {})
    return caught.value.problems


def test_a_calendar_lies_beside_the_file_that_names_it(write: Write, good: str, tmp_path: Path) -> None:
    """Also where that file is an included one."""
    calendar = _calendar(tmp_path / "jobs.d")
    write(f'[jobs.a]\nblackout = {{ ics = "days.ics" }}\n{_JOB}', "jobs.d/a.toml")
    main = write(f'include = ["jobs.d/*.toml"]\n{good}')

    (entry,) = load(main, {}).jobs["a"].policy.blackout

    assert isinstance(entry, CalendarEvents)
    assert entry.ics.path == calendar


def test_a_calendar_is_part_of_the_definition(write: Write, good: str, tmp_path: Path) -> None:
    """A job whose calendar changed is another one: a reload takes it up; one without is as it was."""
    _calendar(tmp_path)
    main = write(f'{good}\n[jobs.a]\nholidays = ["12-24", {{ ics = "days.ics" }}]\n{_JOB}')
    before = load(main, {}).jobs

    _calendar(tmp_path, _EVENT.replace("1225", "1226"))
    after = load(main, {}).jobs

    assert before["a"].hash != after["a"].hash
    assert before["orders"].hash == after["orders"].hash


@pytest.mark.parametrize("section", ["jobs.a", "defaults"])
def test_a_calendar_that_is_gone_or_broken_is_told_once_at_its_key(
    write: Write, good: str, tmp_path: Path, section: str
) -> None:
    """With file and line, for each job that would have it, as one problem."""
    blackout = '\nblackout = ["sun", { ics = "days.ics" }]\n'
    text = f"{good}\n[jobs.a]\n{_JOB}\n[jobs.b]\n{_JOB}"
    text = text.replace(f"[{section}]", f"[{section}]{blackout}") if section in text else f"{text}[{section}]{blackout}"
    main = write(text)
    line = main.read_text().splitlines().index(blackout.strip()) + 1

    (gone,) = _problems(main)
    _calendar(tmp_path, "BEGIN:VEVENT\r\n")
    (broken,) = _problems(main)

    for problem in (gone, broken):
        assert (problem.file, problem.line, problem.key) == (main, line, f"{section}.blackout[1].ics")
    assert "No such file" in gone.message
    assert "days.ics is none that can be read" in broken.message


def test_other_blackouts_are_told_at_their_keys(write: Write, good: str) -> None:
    """A misspelt one in a list, and a key that is none."""
    main = write(f'{good}\n[jobs.a]\nblackout = ["sut 22:00 - mon 04:00", {{ icz = "x" }}]\n{_JOB}')

    problems = {problem.key: problem.message for problem in _problems(main)}

    assert "expected days such as mon" in problems["jobs.a.blackout[0]"]
    assert 'unknown key "icz"' in problems["jobs.a.blackout[1].icz"]
