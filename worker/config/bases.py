"""Profiles brought into the draft: those that come with the worker, and what one takes from its base."""

from importlib.resources import files
from pathlib import Path

from worker.config.documents import Document, parsed
from worker.config.draft import Draft
from worker.config.lines import KeyPath, dotted
from worker.config.nearest import hint
from worker.config.places import Place

_PACKAGE = "worker.profiles"


def built_in() -> list[str]:
    """Returns the names of the profiles that come with the worker."""
    found = [entry.name for entry in files(_PACKAGE).iterdir()]
    return sorted(name.removesuffix(".toml") for name in found if name.endswith(".toml"))


def profile(draft: Draft, name: str) -> KeyPath | None:
    """Returns the path of a profile; one that comes with the worker is brought into the draft at its first use."""
    path = ("profiles", name)
    if draft.at(path) is None and name in built_in():
        _bring_in(draft, name)
    return path if isinstance(draft.at(path), dict) else None


def unknown(draft: Draft, name: str) -> str:
    """Returns what to say of a profile that does not exist."""
    return f'unknown profile "{name}"; {hint(name, {*built_in(), *draft.tables("profiles")})}'


def rest_on_bases(draft: Draft) -> None:
    """Puts beneath each profile of the user's own what its base knows; notes bases that do not exist, and circles."""
    done: set[str] = set()
    for name in list(draft.tables("profiles")):
        _rest(draft, name, (), done)


def _rest(draft: Draft, name: str, above: tuple[str, ...], done: set[str]) -> None:
    base = draft.at(("profiles", name, "base"))
    if name in done or not base:
        return
    place = ("profiles", name, "base")
    if not isinstance(base, str):
        draft.blame(place, "expected the name of a profile, found something else")
    elif base in (name, *above):
        draft.blame(place, f"base leads from {name} back to {base}; take it out of one, or give {name} another name")
    elif (path := profile(draft, base)) is None:
        draft.blame(place, unknown(draft, base))
    else:
        _rest(draft, base, (*above, name), done)
        draft.fill(("profiles", name), path)
    done.add(name)


def _bring_in(draft: Draft, name: str) -> None:
    source = files(_PACKAGE) / f"{name}.toml"
    document = parsed(Path(str(source)), source.read_text(encoding="utf-8"))
    if not isinstance(document, Document):
        raise TypeError(f"profile {name}: {document}")  # a fault of the package, not of the user
    draft.data.setdefault("profiles", {})[name] = document.data
    for path, line in document.written.lines.items():
        draft.places[("profiles", name, *path)] = Place(document.written.file, line, dotted(path))
