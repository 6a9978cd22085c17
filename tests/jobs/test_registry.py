"""Types of jobs: built in and plugged in."""

import importlib.metadata
from collections.abc import Iterator
from importlib.metadata import EntryPoint

import pytest

from jobs import registry
from jobs.registry import JobTypeError, job_class, names
from jobs.sync import Sync


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Pretends that three plug-ins are installed: a good one, a broken one, one that is no job."""
    points = [
        EntryPoint("copy", "jobs.sync:Sync", registry.GROUP),
        EntryPoint("broken", "jobs.nowhere:Job", registry.GROUP),
        EntryPoint("table", "jobs.sinks.schema:Table", registry.GROUP),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group: points)
    registry._plugins.cache_clear()
    yield
    registry._plugins.cache_clear()


def test_sync_is_built_in() -> None:
    """The type that everybody uses needs no entry point."""
    assert job_class("sync") is Sync
    assert "sync" in names()


def test_a_plugin_is_loaded_when_it_is_used(plugins: None) -> None:
    """A broken one beside it is nobody's trouble until it is asked for."""
    assert names() == ["broken", "copy", "python", "request", "sync", "table"]
    assert job_class("copy") is Sync
    with pytest.raises(JobTypeError, match=r"'broken' cannot be loaded from jobs\.nowhere:Job: ModuleNotFoundError"):
        job_class("broken")
    with pytest.raises(JobTypeError, match="is no Job"):
        job_class("table")


def test_an_unknown_type_is_told_the_nearest(plugins: None) -> None:
    """A slip of the finger gets the name that was meant, a wild guess gets all of them."""
    with pytest.raises(JobTypeError, match=r"no type of job 'sinc'; did you mean sync\?"):
        job_class("sinc")
    with pytest.raises(JobTypeError, match="did you mean broken or copy or python or request or sync or table"):
        job_class("zzz")


def test_the_installed_entry_points_can_be_loaded() -> None:
    """What this distribution itself declares is there."""
    for point in importlib.metadata.entry_points(group=registry.GROUP):
        assert point.load() is job_class(point.name)
