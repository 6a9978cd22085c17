"""Known APIs put beneath what a person wrote: a profile's account defaults, and its resources for jobs."""

from copy import deepcopy
from importlib.resources import files
from pathlib import Path

from worker.config.documents import Document, parsed
from worker.config.draft import Draft, Place, Table
from worker.config.lines import KeyPath, Toml, dotted
from worker.config.nearest import hint

_PACKAGE = "worker.profiles"
_KEYS = ("description", "account", "resources")
_WITHOUT = "none"  # what a job writes for a resource's cursor to read everything in each run
_NAME = "{name}"  # in a resource: what a job writes behind the slash


def built_in() -> list[str]:
    """Returns the names of the profiles that come with the worker."""
    found = [entry.name for entry in files(_PACKAGE).iterdir()]
    return sorted(name.removesuffix(".toml") for name in found if name.endswith(".toml"))


def spread(draft: Draft) -> None:
    """Puts every profile that is used beneath the accounts and the jobs that use it; notes what does not exist."""
    for name in draft.tables("profiles"):
        _check_keys(draft, ("profiles", name))
    for name, account in draft.tables("accounts").items():
        if isinstance(account.get("profile"), str) and account["profile"]:
            _fill_account(draft, name, account["profile"])
    for name, job in draft.tables("jobs").items():
        if isinstance(source := job.get("source"), dict) and "resource" in source:
            _fill_job(draft, name, source)


def _check_keys(draft: Draft, path: KeyPath) -> None:
    for key in draft.at(path):
        if key not in _KEYS:
            draft.blame((*path, key), f'unknown key "{key}"; {hint(key, _KEYS)}')
    for key in ("account", "resources"):
        if not isinstance(draft.at((*path, key)) or {}, dict):
            draft.blame((*path, key), f"expected a table [{dotted((*path, key))}], found something else")


def _profile(draft: Draft, name: str) -> KeyPath | None:
    """Returns the path of a profile; one that comes with the worker is brought into the draft at its first use."""
    path = ("profiles", name)
    if draft.at(path) is None and name in built_in():
        _bring_in(draft, name)
    return path if isinstance(draft.at(path), dict) else None


def _bring_in(draft: Draft, name: str) -> None:
    source = files(_PACKAGE) / f"{name}.toml"
    document = parsed(Path(str(source)), source.read_text(encoding="utf-8"))
    if not isinstance(document, Document):
        raise TypeError(f"profile {name}: {document}")  # a fault of the package, not of the user
    draft.data.setdefault("profiles", {})[name] = document.data
    for path, line in document.lines.items():
        draft.places[("profiles", name, *path)] = Place(document.file, line, dotted(path))


def _fill_account(draft: Draft, name: str, profile: str) -> None:
    path = _profile(draft, profile)
    if path is None:
        known = {*built_in(), *draft.tables("profiles")}
        draft.unfinished.add(("accounts", name))
        draft.blame(("accounts", name, "profile"), f'unknown profile "{profile}"; {hint(profile, known)}')
    elif isinstance(draft.at((*path, "account")), dict):
        draft.fill(("accounts", name), (*path, "account"))


def _fill_job(draft: Draft, job: str, source: Table) -> None:
    """Puts a resource's keys beneath the job's source, and its `key` beneath the destination's."""
    path: KeyPath = ("jobs", job, "source")
    resource = source.pop("resource")
    found = _resource(draft, path, source.get("account"), resource)
    if found is None:
        draft.unfinished.add(("jobs", job))
        return
    draft.fill(path, found)
    if source.get("cursor") == _WITHOUT:
        del source["cursor"]
    key = source.pop("key", None)
    destination = draft.at(("jobs", job, "destination"))
    if key is not None and isinstance(destination, dict) and "table" in destination and "key" not in destination:
        draft.put(("jobs", job, "destination", "key"), key, draft.place((*found, "key")))


def _resource(draft: Draft, source: KeyPath, account: Toml, resource: Toml) -> KeyPath | None:
    """Returns the path of the resource's table, `{name}` filled in; None, with a problem noted, where there is none."""
    options = draft.tables("accounts").get(account) if isinstance(account, str) else None
    if options is None:
        if account is None:
            draft.blame((*source, "resource"), "a resource needs the account whose profile knows it; add account")
        return None
    path = _profile(draft, str(options.get("profile", "")))
    if path is None:
        if not options.get("profile"):
            message = f"the account {account} has no profile to know resources by; write path instead"
            draft.blame((*source, "resource"), message)
        return None
    known = draft.at((*path, "resources")) or {}
    if isinstance(resource, str) and isinstance(known.get(resource), dict) and not _takes_name(known[resource]):
        return (*path, "resources", resource)
    family, _, name = str(resource).partition("/")
    if name and isinstance(known.get(family), dict) and _takes_name(known[family]):
        return _named(draft, (*path, "resources", family), name)
    names = [f"{key}/NAME" if _takes_name(value) else key for key, value in known.items()]
    near = hint(str(resource), names)
    draft.blame((*source, "resource"), f"the profile {options['profile']} knows no resource {resource!r}; {near}")
    return None


def _takes_name(value: Toml) -> bool:
    if isinstance(value, dict):
        return any(map(_takes_name, value.values()))
    return isinstance(value, str) and _NAME in value


def _named(draft: Draft, family: KeyPath, name: str) -> KeyPath:
    """Returns the path of a copy of the resource in which `{name}` is filled in; its places are the original's."""
    path: KeyPath = (*family[:-1], f"{family[-1]}/{name}")
    if draft.at(path) is None:
        table = _with_name(draft.at(family), name)
        draft.put(path, {}, draft.place(family))
        draft.fill(path, family)
        draft.at(path[:-1])[path[-1]] = table
    return path


def _with_name(value: Toml, name: str) -> Toml:
    if isinstance(value, dict):
        return {key: _with_name(part, name) for key, part in value.items()}
    return value.replace(_NAME, name) if isinstance(value, str) else deepcopy(value)
