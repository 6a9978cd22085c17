"""The coming fires as an SVG picture: readable in light and dark, each mark with a tooltip, no script."""

from collections.abc import Iterator
from datetime import datetime
from math import log2
from xml.sax.saxutils import escape, quoteattr

from worker.cli.output import clock, harmless, many, number, span
from worker.cli.planframe import in_words, labels
from worker.cli.planpicture import Plan, absences, names_of
from worker.runs.forecast import Lane

COLUMNS = 144  # of time, at the most

_NAMES, _TIME, _SIDE = 230, 1008, 84  # widths in pixels: names, time, figures
_ROW, _TOP, _LOAD, _LINE = 24, 84, 64, 20  # heights: a row, what is above the rows, the load, a line of text
_EACH = 400  # fires of a job that are drawn one by one
_SHORTEST = 3.0  # pixels of a run
_WIDTH = _NAMES + _TIME + _SIDE
_NAME_AT_MOST = 30

_COLOURS = {  # by selector: what is coloured, in light, in dark
    ".paper": ("fill", "#ffffff", "#14171c"),
    "text": ("fill", "#1f2430", "#e6e8ec"),
    ".soft": ("fill", "#6b7280", "#98a1af"),
    ".off": ("fill", "#9aa1ac", "#6b7380"),
    ".bad": ("fill", "#dc2626", "#ff7b72"),
    ".night": ("fill", "#a21caf", "#e28bf0"),
    ".band": ("fill", "#f6f7f9", "#1a1e24"),
    ".shut": ("fill", "#e6e8ec", "#2a2f37"),
    ".run": ("fill", "#2563eb", "#6ea8fe"),
    ".next": ("fill", "#0d9488", "#4fd1c5"),
    ".idle": ("fill", "#c3c8d0", "#4a515c"),
    ".rule": ("stroke", "#e3e5e9", "#2b3038"),
    ".halo": ("stroke", "#ffffff", "#14171c"),
    ".change": ("stroke", "#a21caf", "#e28bf0"),
    ".limit": ("stroke", "#dc2626", "#ff7b72"),
}
_LIGHT, _DARK = (
    " ".join(f"{what} {{ {colours[0]}: {colours[shade]} }}" for what, colours in _COLOURS.items()) for shade in (1, 2)
)
_STYLE = f"""svg {{ color-scheme: light dark }}
text {{ font: 12px ui-sans-serif, system-ui, "Segoe UI", "DejaVu Sans", sans-serif }}
.title {{ font-size: 16px; font-weight: 600 }} .end {{ text-anchor: end }} .mid {{ text-anchor: middle }}
.halo {{ paint-order: stroke; stroke-width: 5px }}
.change {{ stroke-dasharray: 4 3 }} .limit {{ stroke-dasharray: 2 3 }}
{_LIGHT}
@media (prefers-color-scheme: dark) {{ {_DARK} }}"""


def svg(plan: Plan) -> str:
    """Returns the picture as a document."""
    drawing = _Drawing(plan)
    body = [*drawing.head(), *drawing.rows(), *drawing.load(), *drawing.below()]
    size = f'width="{_WIDTH}" height="{drawing.bottom}" viewBox="0 0 {_WIDTH} {drawing.bottom}"'
    opened = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="Coming fires of jobs">'
    paper = _rect(0, 0, _WIDTH, drawing.bottom, "paper")
    return "\n".join([opened, f"<style>{_STYLE}</style>", paper, *body, "</svg>", ""])


class _Drawing:
    """The picture from top to bottom; `bottom` is as far as it was drawn."""

    def __init__(self, plan: Plan) -> None:
        self._plan, self._frame = plan, plan.frame
        self._most = max((count for lane in plan.lanes for count in lane.counts), default=1)
        self._marked = {job for one in plan.collisions for job in one.jobs}
        self._rows_end = _TOP + _ROW * len(plan.lanes)
        self.bottom = _TOP

    def head(self) -> Iterator[str]:
        """Yields title, axis, grid and the nights of change."""
        plan, frame = self._plan, self._frame
        start, end = (moment.astimezone(plan.zone) for moment in (frame.start, frame.end))
        words = f"{start:%a %d %b %Y %H:%M} to {end:%a %d %b %Y %H:%M}, {plan.zone}; a column is {in_words(frame.step)}"
        yield _text(16, 30, many(plan.jobs, "job"), "title")
        yield _text(_NAMES, 30, words, "soft")
        for place in range(0, len(plan.lanes), 2):
            yield _rect(0, _TOP + place * _ROW, _WIDTH, _ROW, "band")
        for column, label in labels(frame, plan.zone).items():
            x = self._x(frame.edge(column))
            yield f'<path class="rule" d="M{x:.1f} {_TOP - 8}V{self._rows_end + _LOAD}"/>'
            yield _text(x, _TOP - 14, label, "soft mid")
        yield _text(_WIDTH - 12, _TOP - 14, "fires", "soft end")
        for change in plan.changes:
            x = self._x(change.at)
            told = f"{change.zone}: {change.before:%H:%M} becomes {change.after:%H:%M} ({many(change.jobs, 'job')})"
            path = f'<path class="change" d="M{x:.1f} {_TOP - 8}V{self._rows_end + _LOAD}"/>'
            yield _titled(path + _text(x, _TOP - 30, "◆", "night mid"), told)

    def rows(self) -> Iterator[str]:
        """Yields one row a job."""
        for lane in self._plan.lanes:
            yield from self._row(lane, self.bottom)
            self.bottom += _ROW

    def _row(self, lane: Lane, y: int) -> Iterator[str]:
        mark = "! " if lane.name in self._marked else ""
        style = "off" if lane.idle else "bad" if mark else ""
        name = lane.name if len(lane.name) <= _NAME_AT_MOST else f"{lane.name[: _NAME_AT_MOST - 1]}…"
        shown = f"{mark}{'└ ' if lane.depth else ''}{name}"
        takes = f", a run takes {span(lane.prospect.takes_s)}" if lane.prospect.takes_s is not None else ""
        told = f"{lane.name}: {many(lane.total, 'fire')}{takes}{f'; {lane.idle}' if lane.idle else ''}"
        yield _titled(_text(16 + 14 * lane.depth, y + 16, shown, style), told)
        for column in sorted(lane.closed):
            yield _rect(self._x(self._frame.edge(column)), y + 3, _TIME / self._frame.columns, _ROW - 6, "shut")
        yield from self._each(lane, y) if lane.whole and lane.total <= _EACH else self._density(lane, y)
        if lane.idle:
            yield _text(_NAMES + 6, y + 16, lane.idle, "soft halo")
        yield _text(_WIDTH - 12, y + 16, number(lane.total) if lane.counted else "not counted", "soft end")

    def _each(self, lane: Lane, y: int) -> Iterator[str]:
        begun = set()
        for start, end in lane.runs():
            begun.add(start)
            x, until = self._x(start), min(self._x(end), float(_NAMES + _TIME))
            bar = _rect(x, y + 5, max(until - x, _SHORTEST), _ROW - 10, _kind(lane), 2)
            yield _titled(bar, f"{lane.name}, {clock(start)}")
        for fire in lane.fires:
            if fire not in begun:  # the run before is expected to go on still
                yield _titled(
                    _rect(self._x(fire), y + 9, 1.5, _ROW - 18, "bad"), f"{lane.name}, {clock(fire)}: in the way"
                )

    def _density(self, lane: Lane, y: int) -> Iterator[str]:
        width = _TIME / self._frame.columns
        for column, count in enumerate(lane.counts):
            if count:
                height = max((_ROW - 8) * log2(count + 1) / log2(self._most + 1), 2.0)
                bar = _rect(self._x(self._frame.edge(column)), y + _ROW - 4 - height, width - 0.5, height, _kind(lane))
                yield _titled(bar, f"{lane.name}, from {clock(self._frame.edge(column))}: {many(count, 'fire')}")

    def load(self) -> Iterator[str]:
        """Yields how many runs are expected at once."""
        plan, floor = self._plan, self.bottom + _LOAD - 8
        top = max([*plan.at_once, plan.concurrency, 1])
        scale = (_LOAD - 20) / top
        yield _text(16, floor - 4, f"at once, of {plan.concurrency}", "soft")
        for column, count in enumerate(plan.at_once):
            if count:
                kind = "bad" if count > plan.concurrency else "next"
                x, width = self._x(self._frame.edge(column)), _TIME / self._frame.columns
                bar = _rect(x, floor - count * scale, width - 0.5, count * scale, kind)
                yield _titled(bar, f"{clock(self._frame.edge(column))}: {many(count, 'run')} at once")
        limit = floor - plan.concurrency * scale
        yield f'<path class="limit" d="M{_NAMES} {limit:.1f}H{_NAMES + _TIME}"/>'
        yield _text(_WIDTH - 12, floor - 4, f"max {max(plan.at_once, default=0):,}", "soft end")
        self.bottom += _LOAD

    def below(self) -> Iterator[str]:
        """Yields in sentences what collides, and what is not drawn."""
        lines = [(f"! {names_of(one.jobs)}: {one.what}", "bad") for one in self._plan.collisions]
        lines += [(sentence, "soft") for sentence in absences(self._plan)]
        if self._plan.left_out:
            lines.append((f"{many(self._plan.left_out, 'more job')} not drawn", "soft"))
        for words, style in lines:
            self.bottom += _LINE
            yield _text(16, self.bottom, words, style)
        self.bottom += _LINE

    def _x(self, at: datetime) -> float:
        share: float = (at - self._frame.start) / (self._frame.step * self._frame.columns)
        return _NAMES + _TIME * share


def _kind(lane: Lane) -> str:
    return "idle" if lane.idle else "next" if lane.depth else "run"


def _text(x: float, y: float, words: str, style: str = "") -> str:
    kind = f" class={quoteattr(style)}" if style else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{kind}>{escape(harmless(words))}</text>'


def _rect(x: float, y: float, width: float, height: float, style: str, round_: int = 0) -> str:
    corner = f' rx="{round_}"' if round_ else ""
    return f'<rect class="{style}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"{corner}/>'


def _titled(mark: str, words: str) -> str:
    return f"<g><title>{escape(harmless(words))}</title>{mark}</g>"
