"""config.example.toml loads, and shows every option but those of types of jobs: see tests/docs/test_docs_options.py."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from jobs.request import Expectations, RequestOptions
from worker.config.load import load
from worker.config.shape import Kind, keys_of, kinds_of
from worker.config.whole import Whole
from worker.model.options import JobOptions
from worker.model.values import RateLimit

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"


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


def _options() -> list[tuple[str, str]]:
    seen: set[type[BaseModel]] = set()
    models = [model for root in (Whole, JobOptions) for kind in kinds_of(root) for model in _models(kind, seen)]
    elsewhere = (RateLimit, RequestOptions, Expectations)  # the first is one text: "100/m"; the others a type of job's
    written = [model for model in models if model not in elsewhere]
    return sorted({(model.__name__, key) for model in written for key in keys_of(model)})


def test_the_example_loads() -> None:
    """The example is closed under reference: it has no problem, and every kind of thing is in it."""
    configuration = load(EXAMPLE, {})
    assert set(configuration.accounts) == {"tangoe", "servicenow", "erp", "parts"}
    assert configuration.database.url == f"sqlite:///{EXAMPLE.parent}/worker.db"
    assert len(configuration.jobs) >= 5


@pytest.mark.parametrize(("model", "key"), _options())
def test_the_example_shows_every_option(model: str, key: str) -> None:
    """Each key of sections, accounts and the policy of jobs stands in the example, be it in a comment."""
    text = EXAMPLE.read_text()
    assert re.search(rf"(?m)(^|[\s{{#.]){re.escape(key)} = |^\[+([\w.-]+\.)?{re.escape(key)}(\.[\w.-]+)?\]", text)


def test_the_example_shows_every_type_of_job() -> None:
    """One of each that comes with the worker."""
    assert {job.type for job in load(EXAMPLE, {}).jobs.values()} >= {"sync", "request", "python"}


def test_the_example_says_how_things_are() -> None:
    """A default that the example states for an account is the one that holds without it."""
    erp = load(EXAMPLE, {}).accounts["erp"]
    stated = {
        "grant",
        "token_params",
        "client_auth",
        "token_lifetime",
        "reject_statuses",
        "max_body",
        "retry",
        "deadline",
    }
    for key in stated | {"connect_timeout", "read_timeout", "origins", "scope", "proxy", "ca_bundle"}:
        assert getattr(erp, key) == type(erp).model_fields[key].default
