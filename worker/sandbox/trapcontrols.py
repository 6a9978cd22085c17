"""The controls of what a sandbox does when requests come: switches, hooks, and what has run out or was purged."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from worker.sandbox.hooks import Hook
from worker.sandbox.rowcontrols import RowControls
from worker.sandbox.state import State
from worker.sandbox.transform import TransformMap
from worker.sandbox.traps import Gate, Traps


class TrapControls(RowControls):
    """The controls that set traps and hooks."""

    def trap(self, **changed: object) -> None:
        """Changes the switches of `Traps` named; raises ValueError for a name or a value that is none.

        Another limit or window begins to count anew.
        """
        self._do(lambda state: _set(state, changed))

    def traps(self) -> dict[str, object]:
        """Returns all switches as JSON-ready values."""
        found = self._do(lambda state: asdict(state.traps))
        return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in found.items()}

    def clear_traps(self) -> None:
        """Turns all switches back to what they were at the start, and lets the limits count anew."""
        self._do(_clear)

    def most_at_once(self) -> int:
        """Returns how many requests behind the gate were under way at once."""
        return self._do(lambda state: state.gate.most)

    def on_request(self, hook: Hook | None) -> None:
        """Lets a function be called, in the sandbox's thread, with the record of each request before it is answered.

        It may use all controls; what it raises becomes the answer's status 500. None: no function any more.
        """
        self._do(lambda state: setattr(state.hooks, "always", hook))

    def after(self, requests: int, path: str, act: Hook) -> None:
        """Lets a function be called once, before the request after so many more to paths that begin so."""
        self._do(lambda state: state.hooks.after(requests, path, act))

    def transform_map(
        self, staging: str, target: str, coalesce: Sequence[str] = (), fields: Mapping[str, str] | None = None
    ) -> None:
        """Says where rows of a staging table go and which fields of the target match them, all together.

        `fields` gives the target's field for a staged one where their names differ.
        """
        one = TransformMap(target, tuple(coalesce), dict(fields or {}))
        self._do(lambda state: state.imports.transformer.maps.update({staging: one}))

    def purge_staged(self, staging: str | None = None) -> int:
        """Forgets staged rows and their import sets, as the instance does at night; returns how many rows."""
        return self._do(lambda state: state.imports.purge(staging))

    def expire_sync_tokens(self) -> None:
        """Makes all sync tokens handed out so far be answered by 410."""
        self._do(lambda state: setattr(state.feed, "epoch", state.feed.epoch + 1))


def _set(state: State, changed: Mapping[str, object]) -> None:
    state.traps.set(changed)
    if {"rate_limit", "rate_window_s"} & set(changed):
        state.gate.ends = None


def _clear(state: State) -> None:
    changes = state.traps.changes
    plain = Traps()
    for name in Traps.__slots__:
        setattr(state.traps, name, getattr(plain, name))
    state.traps.changes = changes + 1
    for name in Gate.__slots__:
        setattr(state.gate, name, getattr(Gate(), name))
