"""What the options models expect at a place of the TOML: asked of the models, before any of them validates."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cache, cached_property
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, RootModel
from pydantic.fields import FieldInfo
from typing_extensions import TypeAliasType

from jobs.contract import Reference
from worker.config.lines import KeyPath, Toml

Annotation = Any  # what stands behind the colon of a field: a class, a generic, a union, Annotated
_LISTS = (list, tuple, set, frozenset)
_PLAIN = (str, int, float, bool, Literal, Path, date, datetime, time)


def _origin(annotation: object) -> object:
    """Returns the generic of an annotation; asked of an object, since for Any the type checker takes it for another."""
    return get_origin(annotation)


def _is(candidate: Annotation, parent: type) -> bool:
    return isinstance(candidate, type) and issubclass(candidate, parent)


@dataclass(frozen=True)
class Kind:
    """One type that an option may have."""

    type: Annotation  # a class, or a generic such as dict[str, str]
    parsed: bool = False  # a validator of the option's own reads what is written
    refers_to: str = ""  # the section in which the value must be a name

    @cached_property
    def base(self) -> Annotation:
        """The class: `dict` of `dict[str, str]`."""
        return _origin(self.type) or self.type

    @cached_property
    def is_model(self) -> bool:
        """Tells whether its keys are an options model's."""
        return _is(self.base, BaseModel) and not _is(self.base, RootModel)

    @property
    def is_plain(self) -> bool:
        """Tells whether no table can be meant."""
        return self.base in _PLAIN or self.is_list or _is(self.base, RootModel)

    @property
    def is_list(self) -> bool:
        """Tells whether several values may be written."""
        return self.base in _LISTS


class Kinds(tuple[Kind, ...]):  # noqa: SLOT001  its dictionary holds what was found out
    """The kinds that one place may have; what follows from them is found out once, for 10,000 jobs ask the same."""

    @cached_property
    def known_keys(self) -> frozenset[str]:
        """Every key that may be written in a table of these kinds."""
        return frozenset({key for kind in self if kind.is_model for key in keys_of(kind.base)})

    @cached_property
    def is_closed(self) -> bool:
        """Tells whether a table of these kinds may hold known keys only."""
        tables = [kind for kind in self if kind.is_model or not kind.is_plain]
        return bool(tables) and all(kind.is_model and kind.base.model_config.get("extra") != "allow" for kind in tables)

    @cached_property
    def is_list(self) -> bool:
        """Tells whether nothing but several values can be meant."""
        return bool(self) and all(kind.is_list for kind in self)

    @cached_property
    def bases(self) -> frozenset[Annotation]:
        """The class of each kind."""
        return frozenset(kind.base for kind in self)

    @cached_property
    def refers_to(self) -> str:
        """The section in which the value must be a name; empty where it need not be one."""
        sections = {kind.refers_to for kind in self}
        return sections.pop() if len(sections) == 1 else ""

    @cached_property
    def _children(self) -> dict[object, "Kinds"]:
        return {}

    def child(self, part: str | int) -> "Kinds":
        """Returns the kinds of what stands under a key, or at a place in a list."""
        slot = part if part in self.known_keys else type(part)  # what is no option's key is as any other
        found = self._children.get(slot)
        if found is None:
            found = self._children[slot] = Kinds(found for kind in self for found in _under(kind, part))
        return found


NONE = Kinds()


def kinds_of(annotation: Annotation) -> Kinds:
    """Returns the kinds of an annotation, unions and aliases opened."""
    return Kinds(_opened(annotation, Kind(annotation)))


def _opened(annotation: Annotation, known: Kind) -> Iterator[Kind]:
    if isinstance(annotation, TypeAliasType):
        yield from _opened(annotation.__value__, known)
    elif _origin(annotation) is Annotated:
        inner, *marks = get_args(annotation)
        section = next((mark.section for mark in marks if isinstance(mark, Reference)), known.refers_to)
        parsed = known.parsed or any(isinstance(mark, BeforeValidator) for mark in marks)
        yield from _opened(inner, Kind(inner, parsed, section))
    elif _origin(annotation) in (Union, UnionType):
        for member in get_args(annotation):
            yield from _opened(member, Kind(member, known.parsed, known.refers_to))
    elif annotation is not type(None):
        yield Kind(annotation, known.parsed, known.refers_to)


@cache
def keys_of(model: type[BaseModel]) -> Mapping[str, FieldInfo]:
    """Returns a model's options by the key a person types."""
    return {_key(name, info): info for name, info in model.model_fields.items()}


def _key(name: str, info: FieldInfo) -> str:
    return next((alias for alias in (info.validation_alias, info.alias) if isinstance(alias, str)), name)


def _under(kind: Kind, part: str | int) -> tuple[Kind, ...]:
    arguments = get_args(kind.type)
    if kind.is_model and part in keys_of(kind.base):
        return kinds_of(_whole(keys_of(kind.base)[str(part)]))
    if isinstance(part, str) and kind.base in (dict, Mapping) and arguments:
        return kinds_of(arguments[1])
    if isinstance(part, int) and kind.is_list and arguments:
        return tuple(found for member in arguments if member is not ... for found in kinds_of(member))
    return ()


def _whole(info: FieldInfo) -> Annotation:
    """Returns a field's annotation with the marks that pydantic took off it."""
    return Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation


Spot = tuple[KeyPath, Toml, Kinds]  # a value with its path and the kinds the models allow there


def walk(value: Toml, kinds: Kinds, path: KeyPath) -> Iterator[Spot]:
    """Yields each value for which the models allow any kind, outer ones first."""
    left = [(path, value, kinds)] if kinds else []
    while left:
        place, found, allowed = spot = left.pop()
        yield spot
        for key, part in reversed([*parts(found)]):
            below = allowed.child(key)
            if below:
                left.append(((*place, key), part, below))


def parts(value: Toml) -> Iterable[tuple[str | int, Toml]]:
    """Returns what a table or a list holds, by key or number; nothing of anything else."""
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, list) else ()
