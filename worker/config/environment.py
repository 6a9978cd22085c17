"""Scalars of [worker], [database], [log] and [network] taken from variables such as WORKER__LOG__LEVEL."""

from collections.abc import Mapping

from pydantic import BaseModel

from worker.config.draft import Draft
from worker.config.lines import Toml
from worker.config.nearest import hint
from worker.config.places import Place
from worker.config.shape import keys_of, kinds_of
from worker.model.secretref import SecretRef
from worker.model.sections import DatabaseOptions, LogOptions, NetworkOptions, WorkerOptions

PREFIX = "WORKER__"
_SECTIONS: dict[str, type[BaseModel]] = {
    "worker": WorkerOptions,
    "database": DatabaseOptions,
    "log": LogOptions,
    "network": NetworkOptions,
}
_TRUTHS = {"true": True, "false": False}


def variables() -> dict[str, tuple[str, str]]:
    """Returns every variable that is asked for, with the section and the key it overrides."""
    return {
        f"{PREFIX}{section}__{key}".upper(): (section, key)
        for section, model in _SECTIONS.items()
        for key in keys_of(model)
        if SecretRef not in kinds_of(model).child(key).bases
    }


def override(draft: Draft, environment: Mapping[str, str]) -> None:
    """Puts the variables' values in place of the files'; notes variables that are none of ours.

    A relative path in a variable is taken from the folder of the main file.
    """
    known = variables()
    for variable in sorted(name for name in environment if name.startswith(PREFIX)):
        place = Place(None, None, variable)
        if variable not in known:
            draft.put((variable,), None, place)
            draft.blame((variable,), f"no option is overridden by this variable; {hint(variable, known)}")
            del draft.data[variable]
            continue
        section, key = known[variable]
        if not isinstance(draft.data.get(section, {}), dict):
            continue  # the section is no table, which is its own problem
        draft.put((section, key), _typed(environment[variable], section, key), place)


def _typed(text: str, section: str, key: str) -> Toml:
    """Returns the text as the option's type where it reads as that; else the text, for the model to refuse."""
    wanted = {kind.base for kind in kinds_of(_SECTIONS[section]).child(key) if not kind.parsed}
    if bool in wanted:
        return _TRUTHS.get(text.strip().lower(), text)
    for number in (int, float):
        if number in wanted:
            try:
                return number(text)
            except ValueError:
                return text
    return text
