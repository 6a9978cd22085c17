"""The JSON Schema of the configuration, for editors that complete and check TOML."""

from copy import deepcopy

from pydantic import BaseModel

from jobs.contract import Json
from jobs.registry import JobTypeError, job_class, names
from worker.config.whole import Whole
from worker.model.options import JobOptions
from worker.model.values import NAME

Schema = dict[str, Json]
_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_NAMED = ("databases", "profiles", "accounts", "jobs")
_PARTS = ("DeletionsOptions", "ParentResource")  # parts of a source, that may name a resource of its account


def json_schema() -> Schema:
    """Returns the schema of a whole configuration (JSON Schema 2020-12); jobs are told apart by their `type`."""
    schema: Schema = Whole.model_json_schema()
    definitions = schema.setdefault("$defs", {})
    forms = [{"$ref": f"#/$defs/{_job_form(name, definitions)}"} for name in _loadable()]
    schema["properties"]["jobs"]["patternProperties"] = {NAME: {"oneOf": forms}}
    for section in _NAMED:
        schema["properties"][section]["additionalProperties"] = False
    del definitions["AccountOptions"]["required"]  # a profile may give what an account leaves out
    _drop_defaults(schema)
    return {"$schema": _DRAFT, **schema, "title": "Integration Worker"}


def _drop_defaults(schema: Json) -> None:
    """Takes out defaults that are not written as a person would write them: a table's, and numbers for text."""
    if isinstance(schema, dict):
        default, kind = schema.get("default"), schema.get("type")
        if default is None or isinstance(default, dict) or (isinstance(default, float) and kind == "string"):
            schema.pop("default", None)
    for part in schema.values() if isinstance(schema, dict) else schema:
        if isinstance(part, dict | list):
            _drop_defaults(part)


def _loadable() -> list[str]:
    """Returns the job types whose plug-ins can be loaded; `worker check` tells of the others."""
    found = []
    for name in names():
        try:
            job_class(name)
        except JobTypeError:
            continue
        found.append(name)
    return found


def _job_form(name: str, definitions: Schema) -> str:
    """Adds the schema of one type of job; returns its name among the definitions."""
    parts = [_with_definitions(model, definitions) for model in (job_class(name).options_model, JobOptions)]
    form: Schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": {key: value for part in parts for key, value in part["properties"].items()},
        "required": sorted({key for part in parts for key in part.get("required", ())}),
    }
    form["properties"]["type"] = {"const": name}
    for end in ("source", "destination"):
        if end in form["properties"]:
            form["properties"][end] = _or_resource(form["properties"][end], definitions)
    for part in _PARTS:
        if "properties" in definitions.get(part, {}):
            definitions[part] = {"anyOf": [definitions[part], _named(definitions[part], ["resource"])]}
    definitions[f"job:{name}"] = form
    return f"job:{name}"


def _with_definitions(model: type[BaseModel], definitions: Schema) -> Schema:
    schema: Schema = model.model_json_schema()
    definitions.update(schema.pop("$defs", {}))
    return schema


def _or_resource(end: Schema, definitions: Schema) -> Schema:
    """Returns the schema of a source or destination that may also be what a profile knows, every key said anew."""
    forms = end.get("oneOf", [end])
    written = [definitions.get(form.get("$ref", "").removeprefix("#/$defs/"), {}) for form in forms]
    named = [_named(form, ["account", "resource"]) for form in written if "account" in form.get("properties", {})]
    return {"anyOf": [*forms, *named]} if named else end


def _named(written: Schema, required: list[str]) -> Schema:
    named = deepcopy(written)
    named["properties"]["resource"] = {"type": "string", "description": "A name that the account's profile knows."}
    if "cursor" in named["properties"]:
        named["properties"]["cursor"] = {"anyOf": [named["properties"]["cursor"], {"const": "none"}]}
    named["required"] = required
    return named
