"""The documents against the code: what they name exists, and what exists is named."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
import sqlalchemy as sa

from worker.config.load import load
from worker.model import events  # noqa: F401  its classes are the subclasses
from worker.model.listening import Event
from worker.store.database import Database
from worker.store.tables import metadata

ROOT = Path(__file__).parents[2]


def _text(name: str) -> str:
    return (ROOT / name).read_text()


def _blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", _text(name), re.DOTALL)


@pytest.mark.parametrize("event", Event.__subclasses__(), ids=lambda event: event.name)
def test_every_event_stands_in_the_table_of_events(event: type[Event]) -> None:
    """Its name, its level and each of its fields."""
    (row,) = (line for line in _text("docs/events.md").splitlines() if line.startswith(f"| `{event.name}` |"))

    assert f"| {event.level} |" in row
    assert list(re.findall(r"`(\w+)`", row.rsplit("|", 2)[1])) == [item.name for item in fields(event)]


def test_every_table_and_view_stands_in_the_page_of_the_database(sqlite_database: Database) -> None:
    """The page names what there is and nothing else."""
    named = set(re.findall(r"^\| `(\w+)` \|", _text("docs/database.md"), re.MULTILINE))

    with sqlite_database.read() as connection:
        views = set(sa.inspect(connection).get_view_names())
    assert named == set(metadata.tables) | views


def test_the_queries_of_the_page_of_the_database_run(database: Database) -> None:
    """Each can be pasted into a SQL prompt of either database, and every table of interest has one."""
    (block,) = _blocks("docs/database.md", "sql")
    named = set(re.findall(r"(?:from|join) (\w+)", block))

    assert set(metadata.tables) - named == {"installation", "boots", "keyring", "jobs"}
    with database.read() as connection:
        for query in filter(str.strip, block.split(";")):
            connection.execute(sa.text(query))


def test_the_configuration_of_the_readme_loads(tmp_path: Path) -> None:
    """A newcomer who types it from the README has a job."""
    config, job = _blocks("README.md", "toml")
    (tmp_path / "jobs.d").mkdir()
    (tmp_path / "config.toml").write_text(config)
    (tmp_path / "jobs.d" / "devices.toml").write_text(job)

    configuration = load(tmp_path / "config.toml", {})

    assert set(configuration.jobs) == {"devices"}


def test_the_map_of_the_house_names_every_room() -> None:
    """Each folder of the worker and of the jobs stands in the README's map, and no file that there is not."""
    rooms = {path.parent.name for house in ("worker", "jobs") for path in (ROOT / house).glob("*/__init__.py")}
    (house,) = _blocks("README.md", "text")

    assert rooms <= set(re.findall(r"^  (\w+)/", house, re.MULTILINE))
    files = re.findall(r"\b(\w+\.py)\b", house)
    assert [name for name in files if not list(ROOT.glob(f"*/{name}"))] == []


def _prose(page: Path) -> str:
    """Returns a page without its examples, whose comments are no headings."""
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def _anchors(page: Path) -> set[str]:
    """Returns the places of a page that links can lead to, as GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.*)$", _prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_what_the_documents_link_to_is_there() -> None:
    """No link of the README or the docs leads nowhere."""
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", page.read_text()):
            there = page.parent / target if target else page
            assert there.exists(), f"{page.name}: {target}"
            assert not anchor or anchor in _anchors(there), f"{page.name}: {target}#{anchor}"


def test_the_first_page_leads_to_every_page() -> None:
    """Whoever begins at docs/README.md finds each of the docs, and the README leads there."""
    linked = set(re.findall(r"\]\((\w[\w-]*\.md)", _text("docs/README.md")))

    assert linked == {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert "](docs/README.md)" in _text("README.md")


def test_the_pages_that_code_and_example_name_are_there() -> None:
    """A page that was moved takes the mentions of it along."""
    code = [path for house in ("worker", "jobs") for path in (ROOT / house).rglob("*.py")]
    named = {
        name
        for path in (ROOT / "config.example.toml", *code)
        for name in re.findall(r"docs/[\w-]+\.md", path.read_text())
    }

    assert named
    assert {name for name in named if not (ROOT / name).exists()} == set()
