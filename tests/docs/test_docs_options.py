"""The pages about jobs against the code: every option of every type of job, its default, and examples that load."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from jobs.columns import ColumnOptions, TableLookup
from jobs.contract import seconds
from jobs.python import PythonOptions
from jobs.registry import job_class, names
from jobs.request import Expectations, RequestOptions
from jobs.sinks.restoptions import (
    DeleteOptions,
    LookupOptions,
    PollOptions,
    RestDestinationOptions,
    UpdateOptions,
    WriteBackOptions,
)
from jobs.sinks.sqloptions import Guard, SqlOptions
from jobs.sources.composed import ApiOptions
from jobs.sources.counted import OffsetPaging, PagePaging
from jobs.sources.cursor import CursorOptions
from jobs.sources.keyset import KeysetPaging, StampOptions
from jobs.sources.linked import LinkPaging, NextUrlPaging, TokenPaging
from jobs.sources.opaque import OpaqueCursorOptions
from jobs.sources.paging import NoPaging
from jobs.sources.parents import ParentResource
from jobs.sources.resource import ResourceOptions
from jobs.sources.rest import RestOptions
from jobs.sources.slices import SlicesOptions
from jobs.sources.sqloptions import SqlCursorOptions, SqlSourceOptions
from jobs.sources.tableapi import ServiceNowPaging
from jobs.sources.tombstones import DeletionsOptions
from jobs.sync import SyncOptions
from tests.docs.pages import ROOT, Tables, blocks, tables, whole, written
from worker.config.load import load
from worker.config.shape import Kind, keys_of, kinds_of

SYNC, SOURCES, PAGING, CURSORS = "docs/sync.md", "docs/sources.md", "docs/paging.md", "docs/cursors.md"
MAPPING, DESTINATIONS = "docs/mapping.md", "docs/destinations.md"
OWN, RECIPES = "docs/own-jobs.md", "docs/recipes.md"
SYNCS = (SYNC, SOURCES, PAGING, CURSORS, MAPPING, DESTINATIONS)  # the pages of sync jobs
ELSEWHERE = {"docs/runs.md", "docs/schedules.md"}  # pages whose examples have tests of their own
PLACES: dict[type[BaseModel], tuple[str, str]] = {  # the page, and the table's section with its first heading
    SyncOptions: (SYNC, "The job: key"),
    ApiOptions: (SOURCES, "A REST API as source: key"),
    SlicesOptions: (CURSORS, "Slices of time: option of slices"),
    DeletionsOptions: (CURSORS, "Deletions: option of deletions"),
    SqlSourceOptions: (SOURCES, "A database as source: option"),
    SqlCursorOptions: (SOURCES, "A database as source: option of the cursor"),
    CursorOptions: (CURSORS, "Cursors: option"),
    OpaqueCursorOptions: (CURSORS, "Cursors: option of an opaque cursor"),
    ColumnOptions: (MAPPING, "Columns: option"),
    TableLookup: (MAPPING, "Lookups: option of a lookup"),
    SqlOptions: (DESTINATIONS, "A table as destination: option"),
    Guard: (DESTINATIONS, "A table as destination: option of guard"),
    RestDestinationOptions: (DESTINATIONS, "An API as destination: option"),
    UpdateOptions: (DESTINATIONS, "An API as destination: option of update"),
    DeleteOptions: (DESTINATIONS, "An API as destination: option of delete"),
    WriteBackOptions: (DESTINATIONS, "An API as destination: option of write_back"),
    LookupOptions: (DESTINATIONS, "Rows in doubt: option of lookup"),
    PollOptions: (DESTINATIONS, "Batches: option of poll"),
    RequestOptions: (OWN, "One request: option"),
    Expectations: (OWN, "One request: option of expect"),
    PythonOptions: (OWN, "A function: option"),
}
PAGINGS: list[type[BaseModel]] = [
    NoPaging,
    OffsetPaging,
    PagePaging,
    LinkPaging,
    NextUrlPaging,
    TokenPaging,
    KeysetPaging,
    ServiceNowPaging,
]
AS_OF: dict[type[BaseModel], type[BaseModel]] = {  # models that have another one's options, but for their account
    DeletionsOptions: RestOptions,
    ParentResource: ResourceOptions,
}
TOLD_IN_PASSING = {StampOptions, ParentResource}  # in the row of keyset's stamp, and in the text about parents
BY_NAME: dict[type[BaseModel], set[str]] = {  # keys that the configuration takes away before the model is asked
    ApiOptions: {"resource"},
    RestDestinationOptions: {"resource"},
}


def _models(kind: Kind, seen: set[type[BaseModel]]) -> Iterator[type[BaseModel]]:
    for inner in getattr(kind.type, "__args__", ()):
        for found in kinds_of(inner):
            yield from _models(found, seen)
    if kind.is_model and kind.base not in seen:
        seen.add(kind.base)
        yield kind.base
        for info in keys_of(kind.base).values():
            for found in kinds_of(info.annotation):
                yield from _models(found, seen)


def _reached() -> set[type[BaseModel]]:
    seen: set[type[BaseModel]] = set()
    for name in names():
        for kind in kinds_of(job_class(name).options_model):
            list(_models(kind, seen))
    return seen


def _own(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Returns the options that a model has beside those of the one whose table holds for it too."""
    others = keys_of(AS_OF[model]) if model in AS_OF else {}
    return {key: info for key, info in keys_of(model).items() if key not in others or key == "account"}


def _key(row: dict[str, str]) -> str:
    return next(iter(row.values())).strip("`")


def _default(info: FieldInfo) -> str:
    """Returns a default as the pages write it: nothing for what is absent, empty or a model of its own."""
    if info.is_required():
        return "required"
    value: Any = info.get_default(call_default_factory=True)
    if isinstance(value, BaseModel) or value is None or value in ("", (), [], {}):
        return ""
    return f"`{written(value)}`"


def _is_told(info: FieldInfo, told: str) -> bool:
    if info.annotation is float and info.metadata:  # a duration: seconds there, "5m" here
        return told == "required" if info.is_required() else seconds(told.strip('`"')) == info.default
    return told == _default(info)


def test_every_model_of_options_has_its_table() -> None:
    """A model that is new is to be described on one of the pages, and named here."""
    assert _reached() - TOLD_IN_PASSING == set(PLACES) | set(PAGINGS)


@pytest.mark.parametrize("model", PLACES, ids=lambda model: model.__name__)
def test_every_option_stands_in_its_table(model: type[BaseModel]) -> None:
    """With its default, and no option that there is not."""
    name, place = PLACES[model]
    rows = {_key(row): row for row in tables(name)[place]}
    options = _own(model)

    assert set(rows) == set(options) | BY_NAME.get(model, set())
    wrong = {key: _default(info) for key, info in options.items() if not _is_told(info, rows[key]["default"])}
    assert wrong == {}


def _paging_rows() -> Tables:
    return tables(PAGING)["Paging: option"]


@pytest.mark.parametrize("model", PAGINGS, ids=lambda model: model.__name__)
def test_every_option_of_paging_names_its_kinds(model: type[BaseModel]) -> None:
    """Each kind's options, and their defaults."""
    options = dict(keys_of(model))
    (kind,) = options.pop("kind").annotation.__args__  # type: ignore[union-attr]  # a literal of one word
    rows = {_key(row): row for row in _paging_rows() if kind in row["of"].split(", ")}

    assert set(rows) == set(options)
    assert {key: rows[key]["default"] for key in rows} == {key: _default(info) for key, info in options.items()}


def test_no_kind_of_paging_is_made_up() -> None:
    """The kinds in the table are those that there are."""
    said = {kind for row in _paging_rows() for kind in row["of"].split(", ")} - {"all"}
    known = {model.model_fields["kind"].annotation.__args__[0] for model in PAGINGS}  # type: ignore[union-attr]  # as above

    assert said == known - {"none"}
    assert set(re.findall(r"`(\w+)`", _paging_rows()[0]["what it says"])) == known


def test_the_overview_has_every_setting() -> None:
    """Each option of a sync job stands in the table of docs/sync.md, with a link to the section that tells of it."""
    told = [
        (row["told in"], sorted(re.findall(r"`(\w+)`", row["settings"]))) for row in tables(SYNC)["Every setting: of"]
    ]
    known = [
        (_link(name, place.partition(":")[0]), sorted(set(_own(model)) | BY_NAME.get(model, set())))
        for model, (name, place) in PLACES.items()
        if name in SYNCS
    ]
    known.append((_link(PAGING, "Paging"), sorted({key for model in PAGINGS for key in keys_of(model)})))

    assert sorted(told) == sorted(known)


def _link(name: str, section: str) -> str:
    page = "" if name == SYNC else Path(name).name
    return f"[{section}]({page}#{section.lower().replace(' ', '-')})"


def test_every_page_with_examples_is_tried() -> None:
    """A page that is new, and has examples in TOML, is to be named here or tried elsewhere."""
    pages = {f"docs/{file.name}" for file in (ROOT / "docs").glob("*.md")}

    assert {name for name in pages if blocks(name, "toml")} == {*SYNCS, OWN, RECIPES, *ELSEWHERE}


def _examples(*names: str) -> list[str]:
    found = [example for name in names for example in blocks(name, "toml")]
    strange = ("entry-points", 'type = "sweep"')  # see test_docs_own_jobs.py
    return [example for example in found if not any(mark in example for mark in strange)]


@pytest.mark.parametrize(
    ("name", "example"),
    [
        pytest.param(name, example, id=f"{Path(name).stem}-{number}")
        for name in (*SYNCS, OWN, RECIPES)
        for number, example in enumerate(_examples(name))
    ],
)
def test_every_example_loads(tmp_path: Path, name: str, example: str) -> None:
    """Made whole with the accounts that it leaves out."""
    file = tmp_path / "config.toml"
    file.write_text(whole(example))

    assert load(file, {}).jobs or "jobs" not in example


def _shown(value: object) -> Iterator[tuple[type[BaseModel], str]]:
    """Yields each option that is set, with the model that has it."""
    if isinstance(value, BaseModel):
        for key, info in keys_of(type(value)).items():
            name = next(name for name, known in type(value).model_fields.items() if known is info)
            if name in value.model_fields_set:
                yield type(value), key
                yield from _shown(getattr(value, name))
    elif isinstance(value, dict):
        for part in value.values():
            yield from _shown(part)


def test_every_option_stands_in_an_example(tmp_path: Path) -> None:
    """Each option of each model is set by some example of the pages, which is loaded."""
    file = tmp_path / "config.toml"
    shown = set[tuple[type[BaseModel], str]]()
    for example in _examples(*SYNCS, OWN):
        file.write_text(whole(example))
        for job in load(file, {}).jobs.values():
            shown.update(_shown(job.options))

    alike = {"account", "in"}  # mean the same wherever they stand
    hidden = {(model, key) for model in PLACES for key in _own(model).keys() - alike} - shown
    assert {f"{model.__name__}.{key}" for model, key in hidden} == set()
    assert {key for model in PAGINGS for key in _own(model)} == {key for model, key in shown if model in PAGINGS}
