"""The page about jobs of one's own: its examples run, its tables name the whole contract."""

import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path

import pytest
import sqlalchemy as sa

from jobs import registry
from jobs.contract import Context, JobSignal, Unit, Window
from jobs.testing import MemoryContext
from tests.docs.pages import blocks, tables, whole
from worker.config.load import load

PAGE = "docs/own-jobs.md"
REPORTS, TESTS, SWEEPER = blocks(PAGE, "python")
_TEST_NAMES = re.findall(r"^def (test_\w+)", TESTS, re.MULTILINE)
_MODULES = ("reports", "test_reports", "sweeper")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the page's modules, as PYTHONPATH would have it."""
    for name, text in zip(_MODULES, (REPORTS, TESTS, SWEEPER), strict=True):
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in _MODULES:
        sys.modules.pop(name, None)


@pytest.fixture
def installed(folder: Path) -> Iterator[Path]:
    """The same with the page's package installed: its entry points are known."""
    (package,) = (block for block in blocks(PAGE, "toml") if block.startswith("[project]"))
    group, line = re.findall(r'entry-points\."([\w.]+)"\]\n(.*)', package)[0]
    told = folder / "sweeper-1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: sweeper\nVersion: 1.0\n")
    (told / "entry_points.txt").write_text(f"[{group}]\n{line.replace(chr(34), '')}\n")
    registry._plugins.cache_clear()
    yield folder
    registry._plugins.cache_clear()


@pytest.mark.parametrize("name", _TEST_NAMES)
def test_the_tests_of_the_page_pass(folder: Path, name: str) -> None:
    """Each as pytest would run it."""
    getattr(import_module("test_reports"), name)()


def test_the_type_of_the_page_is_configured_and_runs(installed: Path) -> None:
    """From its entry point over its options to deleted rows."""
    (job,) = (block for block in blocks(PAGE, "toml") if 'type = "sweep"' in block)
    (installed / "config.toml").write_text(whole(job))
    options = load(installed / "config.toml", {}).jobs["sweep-readings"].options
    now = datetime.now(UTC)

    with MemoryContext(window=Window(None, now)) as context:
        with context.unit() as unit:
            unit.connection.execute(sa.text("CREATE TABLE readings (at TEXT)"))
            for days in (1, 89, 91, 400):
                at = {"at": (now - timedelta(days=days)).isoformat()}
                unit.connection.execute(sa.text("INSERT INTO readings VALUES (:at)"), at)
        sweep = registry.job_class("sweep")(options)
        assert sweep.preview(context, 20).notes == ("2 rows would be deleted",)
        sweep.run(context)

        assert len(context.rows("readings")) == 2
        assert context.counts.deleted == 2


@pytest.mark.parametrize(("table", "protocol"), [("Context", Context), ("Unit", Unit)])
def test_every_part_of_the_contract_stands_in_the_table(table: str, protocol: type) -> None:
    """And nothing that a job cannot ask for."""
    told = [row[f"`{table}`"] for row in tables(PAGE)[f"The contract: {table}"]]
    named = {name for cell in told for name in re.findall(r"`(\w+)", cell)}

    assert named == {name for name in vars(protocol) if not name.startswith("_")}


def test_every_signal_stands_in_the_table() -> None:
    """What a job may ask for by raising it."""
    told = {re.split(r"\W", row["raise"].strip("`"))[0] for row in tables(PAGE)["The contract: raise"]}

    assert {signal.__name__ for signal in JobSignal.__subclasses__()} <= told
