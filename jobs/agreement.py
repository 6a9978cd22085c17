"""What a table as a destination wants of the source and the map beside it."""

from collections.abc import Collection

from jobs.fullpass import is_exact, resumes
from jobs.sinks.schema import RESERVED
from jobs.sinks.sql import SqlOptions
from jobs.sources.composed import ApiOptions
from jobs.sources.sql import SqlSourceOptions

_AGAIN = {
    "append": "would double what the cursor reads again; use upsert with a key",
    "replace": "would leave only what came since the cursor; leave the cursor out, or use upsert or mirror with a key",
}


def table_problem(
    destination: SqlOptions, source: ApiOptions | SqlSourceOptions, columns: Collection[str] | None
) -> str:
    """Returns what does not fit; empty where all is well."""
    missing = [column for column in destination.key if columns is not None and column not in columns]
    if missing:
        return f"map: the column {missing[0]} is missing, which destination.key names"
    mode = destination.mode
    if resumes(source) and mode in _AGAIN and not (mode == "append" and is_exact(source)):
        return f'destination: mode = "{mode}" {_AGAIN[mode]}'
    if mode in _AGAIN and isinstance(source, ApiOptions) and source.deletions is not None:
        return f'destination: mode = "{mode}" cannot follow source.deletions; use upsert or mirror with a key'
    return ""


def full_problem(mode: str, source: ApiOptions | SqlSourceOptions, full_every: float | None) -> str:
    """Returns what is wrong with how often everything is read; empty where all is well."""
    if mode == "mirror" and isinstance(source, ApiOptions) and source.slices:
        return 'source.slices: mode = "mirror" would take for gone what moves to a later slice meanwhile; use "upsert"'
    if full_every is None:
        if mode == "mirror" and resumes(source):
            return (
                'full_every is missing: mode = "mirror" takes rows for gone only when everything was read, and the '
                'source reads what is new; say how often it reads all, such as full_every = "7d"'
            )
        return ""
    if not resumes(source):
        return "full_every goes with a source that reads what is new; this one reads everything in each run"
    if mode == "append":
        return 'full_every would append everything once more; leave it out, or use another mode than "append"'
    return ""


def map_problem(columns: Collection[str] | None, types: Collection[str], *, flatten: bool) -> str:
    """Returns what is wrong with what becomes of fields; empty where all is well."""
    taken = [column for column in (*(columns or ()), *types) if column in RESERVED]
    if taken:
        return f"{'types' if columns is None else 'map'}: the column {taken[0]} is the worker's own; name it otherwise"
    if columns is not None and (types or flatten):
        return f"{'types' if types else 'flatten'} is for jobs without map, whose columns say it themselves"
    return ""
