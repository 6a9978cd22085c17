"""The coming fires as lines of text: one row a job, columns are time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import log2
from zoneinfo import ZoneInfo

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from worker.cli.output import clock, harmless, many, number, span
from worker.cli.planframe import in_words, labels
from worker.model.schedules import Manual
from worker.runs.collisions import ChangeOfClocks, Collision, Kind
from worker.runs.forecast import Frame, Lane

_NAME_AT_LEAST, _NAME_AT_MOST = 8, 28
_SIDES = 18  # what stands around name and time: mark, takes, fires, gaps
_LEAST = 24  # columns of time at any width
_BLOCKS = "▂▃▄▅▆▇█"
_EVEN = 4.0  # 16 in a column fill it where no other has more
_DIGITS = 10
_NAMED = 12  # jobs in one sentence


@dataclass(frozen=True)
class Plan:
    """What is drawn."""

    frame: Frame
    zone: ZoneInfo
    lanes: Sequence[Lane]
    absent: Sequence[Lane]  # jobs that are not due in this time
    collisions: Sequence[Collision]
    changes: Sequence[ChangeOfClocks]
    at_once: Sequence[int]
    concurrency: int
    left_out: int = 0  # jobs that are not drawn

    @property
    def jobs(self) -> int:
        """How many jobs there are, drawn or not."""
        return len(self.lanes) + len(self.absent) + self.left_out


def name_width(names: Sequence[str]) -> int:
    """Returns how wide the column of names is."""
    return min(max([_NAME_AT_LEAST, *map(len, names)]), _NAME_AT_MOST)


def time_room(width: int, names: Sequence[str]) -> int:
    """Returns how many columns of time fit beside the names."""
    return max(width - name_width(names) - _SIDES, _LEAST)


def picture(plan: Plan) -> Iterator[Text]:
    """Yields the lines."""
    yield _title(plan)
    yield Text()
    drawn = _Drawing(plan)
    yield from drawn.head()
    for lane in plan.lanes:
        yield drawn.row(lane)
    yield from drawn.load()
    yield from _below(plan)


def _title(plan: Plan) -> Text:
    frame = plan.frame
    start, end = frame.start.astimezone(plan.zone), frame.end.astimezone(plan.zone)
    words = f"{start:%a %d %b %H:%M} to {end:%a %d %b %H:%M} {plan.zone}; one column is {in_words(frame.step)}"
    return Text(many(plan.jobs, "job"), style="bold") + Text(f"  {words}")


class _Drawing:
    """The picture's rows, all of one width."""

    def __init__(self, plan: Plan) -> None:
        self._plan, self._frame = plan, plan.frame
        self._width = name_width([_indented(lane) for lane in plan.lanes])
        self._labels = labels(plan.frame, plan.zone)
        self._most = max((count for lane in plan.lanes for count in lane.counts), default=1)
        self._marked = {job for one in plan.collisions if one.kind is not Kind.STAMPEDE for job in one.jobs}

    def head(self) -> Iterator[Text]:
        """Yields the axis: labels, and above them the nights on which clocks change."""
        if self._plan.changes:
            marks = [" "] * self._frame.columns
            for change in self._plan.changes:
                marks[self._frame.column(change.at)] = "◆"
            yield self._line("", "clocks", "", Text("".join(marks), style="magenta"), "")
        axis = ""
        for column, label in self._labels.items():
            if column + len(label) <= self._frame.columns:
                axis = axis.ljust(column) + label
        yield self._line("", "job", "takes", Text(axis.ljust(self._frame.columns)), "fires", style="bold")

    def row(self, lane: Lane) -> Text:
        """Returns one job's row."""
        mark = "!" if lane.name in self._marked else ""
        takes = span(lane.prospect.takes_s) if lane.prospect.takes_s is not None else ""
        fires = number(lane.total) if lane.counted else "?"
        style = "dim" if lane.idle else ""
        return self._line(mark, _indented(lane), takes, self._time(lane), fires, style=style)

    def load(self) -> Iterator[Text]:
        """Yields how many runs are expected at once, and where that is more than may be."""
        plan = self._plan
        yield Text()
        cells = [" " if not n else str(n) if n < _DIGITS else "+" for n in plan.at_once]
        shown = Text("".join(cells))
        for column, count in enumerate(plan.at_once):
            if count > plan.concurrency:
                shown.stylize("bold red", column, column + 1)
        peak = max(plan.at_once, default=0)
        yield self._line("", "at once", "", shown, f"max {peak:,}", style="")
        if peak > plan.concurrency:
            over = "".join("!" if count > plan.concurrency else " " for count in plan.at_once)
            yield self._line("!", f"over {plan.concurrency}", "", Text(over, style="bold red"), "")

    def _time(self, lane: Lane) -> Text:
        cells = self._cells(lane)
        if lane.idle:
            reason = _cut(f"{harmless(lane.idle)} ", self._frame.columns)
            return Text(reason + "".join(cells)[len(reason) :], style="dim")
        return Text("".join(cells), style="cyan" if not lane.depth else "blue")

    def _cells(self, lane: Lane) -> list[str]:
        if not lane.counted:
            return ["~"] * self._frame.columns
        cells = [self._empty(lane, column) for column in range(self._frame.columns)]
        for start, end in lane.runs():
            last = self._frame.column(max(end - timedelta(microseconds=1), start))
            for column in range(self._frame.column(start), min(last + 1, self._frame.columns)):
                cells[column] = "━"
        for column, count in enumerate(lane.counts):
            if count:
                cells[column] = self._fires(lane, count)
        return cells

    def _empty(self, lane: Lane, column: int) -> str:
        if column in lane.closed:
            return "░"
        return "┊" if column in self._labels else " "

    def _fires(self, lane: Lane, count: int) -> str:
        if count == 1:
            return "○" if lane.depth else "●"
        high = log2(count) / max(log2(self._most), _EVEN)
        return _BLOCKS[min(round(high * (len(_BLOCKS) - 1)), len(_BLOCKS) - 1)]

    def _line(self, mark: str, name: str, takes: str, time: Text, fires: str, style: str = "") -> Text:
        left = Text(f"{mark:<1} ", style="bold red") + Text(
            f"{_cut(name, self._width):<{self._width}} {takes:>5} ", style
        )
        return _trimmed(left + Text("│", "dim") + time + Text("│", "dim") + Text(f"{fires:>7}", style))


def _trimmed(line: Text) -> Text:
    line.rstrip()
    return line


def _indented(lane: Lane) -> str:
    return f"{'  ' * (lane.depth - 1)}└ {lane.name}" if lane.depth else lane.name


def _cut(text: str, width: int) -> str:
    return text if cell_len(text) <= width else set_cell_size(text, width - 1) + "…"


def _below(plan: Plan) -> Iterator[Text]:
    """Yields the legend and, in sentences, what the picture marks and what it leaves out."""
    yield Text()
    yield Text(_legend(plan), style="dim")
    yield from map(Text, absences(plan))
    for change in plan.changes:
        shown = f"{change.before:%H:%M} becomes {change.after:%H:%M}"
        yield Text("◆ ", "magenta") + Text(
            f"{change.zone}, {change.after:%a %d %b}: {shown}; {many(change.jobs, 'job')}"
        )
    for one in plan.collisions:
        yield Text("! ", "bold red") + Text(f"{names_of(one.jobs)}: {one.what} (first at {clock(one.at)})")
    if plan.left_out:
        yield Text(f"{many(plan.left_out, 'more job')} not drawn; name those you want to see, or raise --limit")
    if any(not lane.counted for lane in plan.lanes):
        yield Text("~ not looked at: the jobs before have too many fires; name fewer jobs, or fewer days")


def absences(plan: Plan) -> Iterator[str]:
    """Yields sentences about the jobs that are not drawn since they are not due."""
    never = [lane.name for lane in plan.absent if isinstance(lane.job.policy.schedule, Manual)]
    later = [lane.name for lane in plan.absent if lane.name not in never]
    if later:
        yield f"not due in this time: {names_of(later)}"
    if never:
        yield f"only by hand: {names_of(never)}"


def _legend(plan: Plan) -> str:
    found = [f"● one fire, ▂▅█ several (█ is {number(max(2**_EVEN, _most(plan)))} in a column)"]
    if any(lane.prospect.takes_s for lane in plan.lanes):
        found.append("━ a run goes on")
    if any(lane.depth for lane in plan.lanes):
        found.append("○ after another job")
    if any(lane.closed for lane in plan.lanes):
        found.append("░ not allowed then")
    return ", ".join(found)


def _most(plan: Plan) -> int:
    return max((count for lane in plan.lanes for count in lane.counts), default=1)


def names_of(names: Sequence[str]) -> str:
    """Returns the first of some names, and how many more there are."""
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
