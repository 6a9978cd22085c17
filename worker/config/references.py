"""Names that must be configured elsewhere: accounts, databases, jobs; and no circle of jobs after each other."""

from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from worker.config.draft import Draft
from worker.config.nearest import hint
from worker.config.shape import Spot


def check_names(draft: Draft, spots: Iterable[Spot]) -> None:
    """Notes every name at these places that refers to nothing, unless it may stand in a file that cannot be read."""
    for at, value, allowed in spots if draft.whole else ():
        section = allowed.refers_to
        if not section or not isinstance(value, str):
            continue
        known = draft.data.get(section, {})
        if value not in known:
            draft.blame(at, f'unknown {section.removesuffix("s")} "{value}"; {hint(value, known)}')


def accounts_in(spots: Iterable[Spot]) -> frozenset[str]:
    """Returns the accounts that are named at these places."""
    return frozenset(value for _, value, allowed in spots if allowed.refers_to == "accounts" and isinstance(value, str))


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
    names = written if isinstance(written, list) else [written]  # a job that is kept stands as it was written
    return tuple(name for name in names if isinstance(name, str))


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
