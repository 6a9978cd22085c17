"""Known APIs put beneath what a person wrote: a profile's account defaults, and its resources for jobs."""

from worker.config.bases import built_in, profile, rest_on_bases, unknown
from worker.config.definitions import kinds
from worker.config.draft import Draft, Table
from worker.config.lines import KeyPath, Toml, dotted
from worker.config.nearest import hint
from worker.config.resources import ASIDE, SECTIONS, WORDS, Section, UnknownEntry, check_likenesses, entry

__all__ = ["built_in", "spread"]

_KEYS = ("description", "base", "account", *SECTIONS)
_WITHOUT = "none"  # what a job writes for a resource's cursor to read everything in each run
_PARTS = ("deletions", "for_each")  # of a source, that may name a resource of the same account
_TELLING = ("deletions", "changed_only")  # by which a sync's source tells what is gone


def spread(draft: Draft) -> None:
    """Puts every profile that is used beneath the accounts and the jobs that use it; notes what does not exist."""
    own = list(draft.tables("profiles"))
    for name in own:
        _check_keys(draft, ("profiles", name))
    rest_on_bases(draft)
    for name in own:
        check_likenesses(draft, ("profiles", name))
    for name, account in draft.tables("accounts").items():
        if isinstance(account.get("profile"), str) and account["profile"]:
            _fill_account(draft, name, account["profile"])
    for name in draft.jobs():
        _fill_job(draft, ("jobs", name))


def _check_keys(draft: Draft, path: KeyPath) -> None:
    """Notes unknown keys, and takes out what is no table where one belongs."""
    table = draft.at(path)
    for key in table:
        if key not in _KEYS:
            draft.blame((*path, key), f'unknown key "{key}"; {hint(key, _KEYS)}')
    for key in ("account", *SECTIONS):
        if not isinstance(table.get(key, {}), dict):
            draft.blame((*path, key), f"expected a table [{dotted((*path, key))}], found something else")
            del table[key]
    for section in SECTIONS:
        for name, found in list(table.get(section, {}).items()):
            if not isinstance(found, dict):
                place = (*path, section, name)
                draft.blame(place, f"expected a table [{dotted(place)}], found something else")
                del table[section][name]


def _fill_account(draft: Draft, name: str, wanted: str) -> None:
    path = profile(draft, wanted)
    if path is None:
        draft.unfinished.add(("accounts", name))
        draft.blame(("accounts", name, "profile"), unknown(draft, wanted))
    elif isinstance(draft.at((*path, "account")), dict):
        draft.fill(("accounts", name), (*path, "account"))


def _fill_job(draft: Draft, job: KeyPath) -> None:
    """Puts what a job's destination and source name beneath them; a job with a name that is none stays unfinished."""
    source, destination = draft.at((*job, "source")), draft.at((*job, "destination"))
    named = isinstance(source, dict) and "resource" in source
    deletes = isinstance(destination, dict) and "delete" in destination
    good = _fill(draft, (*job, "source"), "resources", source)
    good &= _fill(draft, (*job, "destination"), "destinations", destination)
    for part in _PARTS:
        good &= _fill_part(draft, (*job, "source", part), source)
    if not good:
        draft.unfinished.add(job)
        return
    if named:
        _settle_source(draft, job, source)
    if not deletes and draft.at((*job, "type")) == "sync":
        _settle_destination(source, destination)


def _fill(draft: Draft, path: KeyPath, section: Section, end: Toml) -> bool:
    """Puts the entry that a table names beneath its own keys; False, with a problem noted, where there is none.

    `end` is the source or the destination whose account's profile knows the entry.
    """
    table = draft.at(path)
    if not isinstance(table, dict) or "resource" not in table:
        return True
    wanted = table.pop("resource")
    known = _profile_of(draft, path, end.get("account"), WORDS[section])
    if known is None:
        return False
    try:
        found = entry(draft, known, section, wanted)
    except UnknownEntry as error:
        draft.blame((*path, "resource"), str(error))
        return False
    found.fill(draft, path)
    for key in ASIDE:
        table.pop(key, None)
    return True


def _fill_part(draft: Draft, path: KeyPath, source: Toml) -> bool:
    """Fills a part of a source that names a resource of its own, without what is for a destination only."""
    part = draft.at(path)
    if not isinstance(part, dict) or "resource" not in part:
        return True
    good = _fill(draft, path, "resources", source)
    part.pop("types", None)
    if not isinstance(part.get("key"), dict):  # deletions say by a table which columns a record names
        part.pop("key", None)
    if part.get("cursor") == _WITHOUT:
        del part["cursor"]
    return good


def _profile_of(draft: Draft, path: KeyPath, account: Toml, word: str) -> KeyPath | None:
    """Returns the profile of the account that a source or a destination names; None where there is none."""
    place = (*path, "resource")
    if account is None:
        draft.blame(place, f"a {word} of a profile needs the account whose profile knows it; add account")
    elif not isinstance(account, str):
        draft.blame(place, f"a {word} of a profile needs the name of an account, found something else")
    options = draft.tables("accounts").get(account) if isinstance(account, str) else None
    if options is None:
        return None  # an account that is not configured is told where names are checked
    if not options.get("profile"):
        draft.blame(place, f"the account {account} has no profile to know a {word} by; write path instead")
        return None
    return profile(draft, str(options["profile"]))


def _settle_source(draft: Draft, job: KeyPath, source: Table) -> None:
    """Moves what a resource knows of its records to where a job says it: the key to the destination, types beside."""
    if source.get("cursor") == _WITHOUT:
        del source["cursor"]
    path, destination = (*job, "source"), draft.at((*job, "destination"))
    if isinstance(destination, dict) and "key" not in destination:
        columns = _key_columns(draft.at(job), destination, source.get("key"))
        if columns is not None:
            draft.put((*job, "destination", "key"), columns, draft.place((*path, "key")))
    if isinstance(source.get("types"), dict) and _wants_types(draft, job, destination):
        draft.at(job).setdefault("types", {})
        draft.fill((*job, "types"), (*path, "types"))
    source.pop("key", None)
    source.pop("types", None)


def _settle_destination(source: Toml, destination: Toml) -> None:
    """Takes out how a profile would delete, where the source tells nothing that is gone."""
    if isinstance(source, dict) and isinstance(destination, dict) and not any(map(source.get, _TELLING)):
        destination.pop("delete", None)


def _key_columns(job: Table, destination: Table, key: Toml) -> Toml:
    """Returns the columns in which a resource's key arrives; None where there is none to tell."""
    columns = job.get("map")
    if key is None or isinstance(key, dict) or not ("table" in destination or "account" in destination):
        return None
    if not isinstance(columns, dict):
        return key
    fields = key if isinstance(key, list) else [key]
    found = [_column_of(str(field), columns) for field in fields]
    if all(found):
        return found
    return key if "table" in destination else None  # of a table the validator says which column is missing


def _column_of(field: str, columns: Table) -> str:
    """Returns the column that holds a field as it is; the one of the same name before any other."""
    same = [column for column, origin in columns.items() if field == _field_of(column, origin)]
    return field if field in columns else next(iter(same), "")


def _field_of(column: str, origin: Toml) -> Toml:
    """Returns the path that a column is read from; None where it is changed on the way."""
    if not isinstance(origin, dict):
        return origin
    return None if {"lookup", "constant", "output"} & origin.keys() else origin.get("from", column)


def _wants_types(draft: Draft, job: KeyPath, destination: Toml) -> bool:
    """Tells whether columns are made of all fields of a record, in a type of job that is told their types."""
    whole = "map" not in draft.at(job) and isinstance(destination, dict) and "table" in destination
    return whole and "types" in kinds(draft, str(job[-1])).known_keys
