"""Variables of the environment override scalars, typed; junk among them is told by the variable's name."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.config.loading import Load, Problems
from worker.config.environment import variables


def test_variables_win_over_the_file(loaded: Load, good: str, tmp_path: Path) -> None:
    """Text, numbers, durations and paths are read as their options are; a path starts at the main file."""
    configuration = loaded(
        f"{good}[worker]\nconcurrency = 2\n",
        {
            "WORKER__WORKER__CONCURRENCY": "5",
            "WORKER__WORKER__DRAIN_TIMEOUT": "5s",
            "WORKER__DATABASE__URL": "sqlite:///other.db",
            "WORKER__LOG__FILE": "w.log",
            "WORKER__NETWORK__PROXY": "http://proxy:3128",
            "WORKER_CONFIG": "not ours to judge",
        },
    )
    assert configuration.worker.concurrency == 5
    assert configuration.worker.drain_timeout == 5.0
    assert configuration.database.url == f"sqlite:///{tmp_path}/other.db"
    assert configuration.log.file == tmp_path / "w.log"
    assert configuration.network.proxy == "http://proxy:3128"


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("WORKER__LOG__LEVL", "debug", 'did you mean "WORKER__LOG__LEVEL"?'),
        ("WORKER__LOG__LEVEL", "loud", "expected one of"),
        ("WORKER__WORKER__CONCURRENCY", "many", 'expected a whole number, found "many"'),
        ("WORKER__WORKER__CONCURRENCY", "0", "expected 1 or more, found 0"),
        ("WORKER__WORKER__TIMEZONE", "Mars", "expected an IANA zone"),
        ("WORKER__DATABASE__URL", "postgresql://u:canary@h/d", "the URL holds a password"),
        ("WORKER__DATABASE__PASSWORD", "canary", "no option is overridden by this variable"),
        ("WORKER__VAULT__KEYS", "canary", "no option is overridden by this variable"),
        ("WORKER__", "canary", "no option is overridden by this variable"),
    ],
)
def test_junk_is_told_by_its_variable(problems: Problems, good: str, variable: str, value: str, message: str) -> None:
    """A problem with a variable names it, and shows no value that may be secret."""
    [problem] = problems(good, {variable: value})
    assert str(problem).startswith(f"environment: {variable}: ")
    assert message in problem.message
    assert "canary" not in str(problem)


@given(st.sampled_from(sorted(variables())))
def test_every_variable_names_its_option(variable: str) -> None:
    """The way from an option to its variable can be read off the name."""
    section, key = variables()[variable]
    assert variable == f"WORKER__{section.upper()}__{key.upper()}"


def test_what_can_be_overridden_is_scalars_only() -> None:
    """Neither secrets nor other sections are taken from these variables."""
    assert {section for section, _ in variables().values()} == {"worker", "database", "log", "network"}
    assert "WORKER__DATABASE__PASSWORD" not in variables()
