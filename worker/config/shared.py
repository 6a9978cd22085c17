"""Many jobs say the same: what is equal in their options is kept once."""

from collections.abc import Hashable
from typing import Any, TypeVar

from pydantic import BaseModel

ModelT = TypeVar("ModelT", bound=BaseModel)


class Shared:
    """Remembers what it has seen; options are frozen, so that whoever has one of them may have anybody's.

    Of 10,000 jobs a half is such: retries, schedules, empty tables, and the sets of what was written of each.
    """

    def __init__(self) -> None:
        self._models: dict[Hashable, BaseModel] = {}
        self._kept: set[int] = set()  # the ids of these
        self._written: dict[frozenset[str], set[str]] = {}
        self._nothing: dict[str, Any] = {}
        self._names: dict[frozenset[str], frozenset[str]] = {}

    def names(self, names: frozenset[str]) -> frozenset[str]:
        """Returns the names, or a set seen before that is equal to them: one of a single name takes 216 bytes."""
        return self._names.setdefault(names, names)

    def once(self, model: ModelT) -> ModelT:
        """Returns the model, or one seen before that is equal to it; its parts are such too."""
        if id(model) in self._kept:
            return model
        key = self._key(model)
        try:
            found: Any = self._models.setdefault(key, model)
        except TypeError:  # it holds what has no hash
            return model
        self._kept.add(id(found))
        return found  # type: ignore[no-any-return]

    def _key(self, model: BaseModel) -> Hashable:
        """Returns what two models that are equal have in common, after putting what is kept in place of its parts."""
        values, written = vars(model), model.__pydantic_fields_set__
        written = self._written.setdefault(frozenset(written), written)
        object.__setattr__(model, "__pydantic_fields_set__", written)
        key: list[Any] = [type(model), id(written)]
        for name, value in values.items():
            kind = type(value)
            if BaseModel in kind.__mro__:  # a tenth of the time of isinstance, which pydantic answers itself
                values[name] = part = self.once(value)
                key.append(id(part))  # equal parts are the very same by now
            elif kind is dict:
                values[name] = part = value or self._nothing
                key.append(id(part))  # a table with something in it is its own
            else:
                key += (kind, value)
        return tuple(key)
