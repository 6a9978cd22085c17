"""A configuration read again: what nothing touched is the very same, and all else is as in a first reading."""

from collections.abc import Callable
from pathlib import Path

import pytest

from jobs import registry
from tests.config.loading import Write
from worker.config.load import Configuration, load
from worker.model.errors import ConfigurationError, Problem

_JOB = 'type = "sync"\nsource = {{ account = "erp", path = "/{0}" }}\ndestination = {{ table = "{0}", key = "id" }}\n'
_AFTER = 'schedule = { after = "orders" }\n'
_TWO = f"[jobs.b]\n{_JOB.format('b')}[jobs.a]\n{_AFTER}{_JOB.format('a')}"


def _again(before: Configuration, text: str, environment: dict[str, str] | None = None) -> Configuration:
    """Loads the main file anew, as a reload does, and holds it against a first reading of the same."""
    before.files[0].write_text(text)
    after = load(before.files[0], environment or {}, before)
    first = load(before.files[0], environment or {})
    assert list(after.jobs.items()) == list(first.jobs.items())
    assert after.hash == first.hash
    return after


def _problems(before: Configuration, text: str) -> list[Problem]:
    before.files[0].write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load(before.files[0], {}, before)
    with pytest.raises(ConfigurationError) as first:
        load(before.files[0], {})
    assert caught.value.problems == first.value.problems
    return caught.value.problems


@pytest.fixture
def before(write: Write, good: str) -> Configuration:
    """Returns a configuration of the jobs orders, b, and a, which follows orders."""
    return load(write(good + _TWO), {})


def test_jobs_that_nothing_touched_keep_their_definitions(before: Configuration, good: str) -> None:
    """Whether another one changes, comes or goes."""
    new = f"[jobs.c]\n{_JOB.format('c')}"
    after = _again(before, good + _TWO.replace('path = "/b"', 'path = "/bb"') + new)
    assert after.jobs["a"] is before.jobs["a"]
    assert after.jobs["orders"] is before.jobs["orders"]
    assert after.jobs["b"] != before.jobs["b"]
    assert list(after.jobs) == ["orders", "b", "a", "c"]
    assert _again(after, good).jobs["orders"] is before.jobs["orders"]


def test_a_kept_job_is_kept_again(before: Configuration, good: str) -> None:
    """A third reading knows what the first one made."""
    after = _again(_again(before, good + _TWO), good + _TWO)
    assert all(after.jobs[name] is job for name, job in before.jobs.items())


@pytest.mark.parametrize(
    "ground",
    [
        '[defaults]\ntimeout = "5m"\n',
        '[worker]\ntimezone = "Europe/Berlin"\n',
        '[databases.other]\nurl = "sqlite:///other.db"\n',
    ],
)
def test_what_jobs_stand_on_has_all_of_them_defined_anew(before: Configuration, good: str, ground: str) -> None:
    """What is put beneath a job, or what it may name, is not its own table's."""
    after = _again(before, ground + good + _TWO)
    assert all(after.jobs[name] is not job for name, job in before.jobs.items())


def test_a_variable_is_such_ground(before: Configuration, good: str) -> None:
    """It stands for what a file says."""
    after = _again(before, good + _TWO, {"WORKER__WORKER__TIMEZONE": "Europe/Berlin"})
    assert str(after.jobs["b"].policy.timezone) == "Europe/Berlin"


def test_what_a_kept_job_waits_for_is_looked_at(before: Configuration, good: str) -> None:
    """A parent that went, and one that is disabled now, are told where the job says it."""
    [gone] = _problems(before, good.replace("jobs.orders", "jobs.others") + _TWO)
    assert (gone.key, gone.line) == ("jobs.a.schedule.after", 19)
    [disabled] = _problems(before, good.replace('type = "sync"\n', 'type = "sync"\nenabled = false\n') + _TWO)
    assert (disabled.key, disabled.line) == ("jobs.a.schedule.after", 20)


def test_a_circle_through_a_kept_job_is_found(before: Configuration, good: str) -> None:
    """The other half of it is what changed."""
    [circle] = _problems(before, good + 'schedule = { after = ["a"] }\n' + _TWO)
    assert "wait for each other" in circle.message


def test_a_job_that_moved_to_another_folder_is_defined_anew(before: Configuration, write: Write, good: str) -> None:
    """Its paths start elsewhere, though its text is the same."""
    write(f"[jobs.b]\n{_JOB.format('b')}", "jobs.d/b.toml")
    with_include = f'include = "jobs.d/*.toml"\n{good}'
    after = _again(before, with_include)
    assert after.jobs["b"] is not before.jobs["b"]
    assert after.jobs["orders"] is before.jobs["orders"]


def test_a_calendar_that_changed_is_read(before: Configuration, good: str, tmp_path: Path) -> None:
    """The job's own table says nothing of that."""

    def calendar(day: str) -> None:
        event = f"BEGIN:VEVENT\r\nUID:1\r\nDTSTART;VALUE=DATE:{day}\r\nEND:VEVENT\r\n"
        text = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//tests//EN\r\n{event}END:VCALENDAR\r\n"
        (tmp_path / "days.ics").write_text(text, newline="")

    shut = good + _TWO + 'blackout = { ics = "days.ics" }\n'
    calendar("20261225")
    middle = _again(before, shut)
    calendar("20261226")
    assert _again(middle, shut).jobs["a"].hash != middle.jobs["a"].hash


def test_a_plug_ins_job_is_asked_anew(
    write: Write, good: str, monkeypatch: pytest.MonkeyPatch, plug_in: Callable[[str], None]
) -> None:
    """Its options may hang on anything: whatever they refuse today is told, though they took it yesterday."""
    plug_in("anything")
    text = good + '[jobs.own]\ntype = "anything"\n'
    before = load(write(text), {})
    monkeypatch.setenv("REFUSES", "yes")
    [problem] = _problems(before, text)
    assert (problem.key, problem.line) == ("jobs.own", 14)


@pytest.fixture
def plug_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Offers the module's type of job as a plug-in of a name."""
    from importlib.metadata import EntryPoint  # noqa: PLC0415  for this alone

    def offered(name: str) -> None:
        point = EntryPoint(name, "tests.config.plugged:Anything", registry.GROUP)
        monkeypatch.setattr(registry, "_plugins", lambda: {name: point})

    return offered
