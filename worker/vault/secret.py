"""A value that never shows itself."""

import hmac
from collections.abc import Callable
from typing import NoReturn, Self

from worker.vault.redact import MASK, release, remember


def _parts(value: str) -> list[str]:
    """Returns what is masked: the value, and each of its lines where it has several; the marks of PEM tell nothing."""
    lines = value.splitlines() if "\n" in value else []
    return [value, *(line for line in lines if not line.startswith("-----"))]


class Secret:
    """A secret text. `reveal()` is the only way to it, so that a search for that word finds every use.

    It prints as `Secret(***)` wherever it is put, refuses pickling, compares in constant time and has no
    hash. As long as it lives, and for a good while after, the redactor masks its value in every spelling.
    Values shorter than 8 characters are not masked by value: that would garble every path and name which
    holds those letters by chance; field names and shapes still cover them. Of a value of several lines, as a
    key in PEM form is, each line is masked by itself too.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value
        for part in _parts(value):
            remember(part)

    def reveal(self) -> str:
        """Returns the value in clear."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_bytes(self._value), _bytes(other._value))

    __hash__ = None  # type: ignore[assignment]  # a hash tells equal secrets apart faster than constant time

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret is not pickled: its value would leave the process in clear")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a Secret has no state to hand out; use reveal()")

    def __del__(
        self,
        release: Callable[[str], None] = release,  # at exit the module's names are gone
        parts: Callable[[str], list[str]] = _parts,
    ) -> None:
        for part in parts(self._value):
            release(part)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
