"""Names that must be configured elsewhere: accounts, databases, jobs; and no circle of jobs after each other."""

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from worker.config.draft import Draft
from worker.config.lines import KeyPath
from worker.config.nearest import hint
from worker.config.shape import Kinds, walk


def check_names(draft: Draft, path: KeyPath, kinds: Kinds) -> None:
    """Notes every name in the table at `path` that refers to nothing."""
    for at, value, allowed in walk(draft.at(path), kinds, path):
        section = allowed.refers_to
        if not section or not isinstance(value, str):
            continue
        known = draft.data.get(section, {})
        if value not in known:
            draft.blame(at, f'unknown {section.removesuffix("s")} "{value}"; {hint(value, known)}')


def check_order(draft: Draft) -> None:
    """Notes jobs that wait for a job that is disabled, and jobs that wait for each other in a circle."""
    jobs = draft.tables("jobs")
    parents = {name: _parents(draft, name) for name in jobs}
    for name, job in jobs.items():
        for index, parent in enumerate(parents[name]):
            if job.get("enabled") is not False and jobs.get(parent, {}).get("enabled") is False:
                message = f'the job "{parent}" is disabled, so this one would never run: enable it, or disable both'
                draft.blame(("jobs", name, "schedule", "after", index), message)
    for circle in _circles(parents):
        message = f"these jobs wait for each other: {' after '.join(circle)}; give one of them another schedule"
        draft.blame(("jobs", circle[0], "schedule"), message)


def _parents(draft: Draft, job: str) -> tuple[str, ...]:
    written = draft.at(("jobs", job, "schedule", "after"))
    return tuple(name for name in written if isinstance(name, str)) if isinstance(written, list) else ()


def _circles(parents: Mapping[str, tuple[str, ...]]) -> Iterator[list[str]]:
    """Yields circles as the names along them, the first one again at the end; each job waits for the next."""
    left = dict(parents)
    while True:
        try:
            return TopologicalSorter(left).prepare()
        except CycleError as error:
            circle = list(reversed(error.args[1]))
            yield circle
            del left[circle[0]]
