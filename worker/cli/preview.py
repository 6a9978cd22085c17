"""The verb that shows what a run would do: real reads, nothing written."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Annotated, Any

import orjson
import typer
from rich.text import Text

from jobs.contract import Json, Shown, WorkerError
from worker.cli.asking import Params, parameters
from worker.cli.opening import DEFAULT_CONFIG, ConfigPath, known, opened
from worker.cli.output import JsonFlag, err, harmless, many, out, print_json, warn
from worker.cli.rooms import room
from worker.cli.tables import Column, listing
from worker.model.events import CallRetried, JobSaid, JobWarned
from worker.model.listening import Event, Events
from worker.runs.preview import Preview
from worker.runs.preview import preview as tried
from worker.wiring.alone import together

app = room()

_WIDEST = 40  # characters of a value in the table of rows
_LONGEST = 1000  # characters of a body
_REJECTS = 5  # on a terminal: they are often alike


def _text(value: Json) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


_COLUMN_COLUMNS = [Column("name", "column"), Column("type"), Column("note", style="green")]
_REQUEST_COLUMNS = [Column("request", "would-be request"), Column("body", long=True)]
_REJECT_COLUMNS = [
    Column("number", "reject", right=True),
    Column("reason", long=True, style="red"),
    Column("record", show=_text, long=True, cut=True),
]


@app.command(epilog="Examples: `worker preview tangoe-devices`, `worker preview orders --param region=eu --json`")
def preview(
    job: Annotated[str, typer.Argument(help="The job to try.")],
    rows: Annotated[int, typer.Option(min=1, max=10_000, metavar="N", help="Rows or requests to show.")] = 20,
    param: Params = None,
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Show what a run of a job would do: real reads, nothing written.

    Pages are read, at most three, until there are rows enough. Transactions are rolled back, and no request is sent
    that may change something. Calls stand in the trail. Exit 1 where the source fails, or where all is rejected.
    The JSON has `columns`, `rows`, `requests`, `rejects`, `notes`, the counts, and `cursors` from which was read on.
    """
    events, said = Events(), list[str]()
    events.listen(_listener(said))
    with opened(config) as (configuration, database):
        definition = configuration.jobs[known(job, configuration.jobs, "job")]
        given = parameters(param or [])
        with together(configuration, database, job, events) as resources, err.status(f"{job}: reads"):
            found = tried(definition, resources, given, rows)
        notes = [*_notes(found), *found.shown.notes, *said]
        if found.counts.rejected and definition.policy.max_rejects.passed(found.counts):
            notes.append("more is rejected than the job's max_rejects allows: a run would fail")
    if as_json:
        print_json(_document(job, found, notes, rows))
    else:
        _print(job, found, notes, rows)
    _judge(found)


def _listener(said: list[str]) -> Callable[[Event], None]:
    """Returns what keeps a job's words, and tells at once of calls that are sent again."""

    def listen(event: Event) -> None:
        if isinstance(event, JobSaid | JobWarned):
            details = ", ".join(f"{key} {_text(value)}" for key, value in (event.details or {}).items())
            said.append(f"{event.text} ({details})" if details else event.text)
        elif isinstance(event, CallRetried):
            warn(f"account {event.account}: asked again in {event.wait_s:g} s ({event.why})")

    return listen


def _notes(found: Preview) -> list[str]:
    at = ", ".join(f"{name} at {_text(value)}" if name else _text(value) for name, value in found.cursors.items())
    if not found.counts.read and not found.shown.requests:
        return [f"the source had nothing new behind the cursor, {at}"] if at else ["the source had nothing"]
    return [f"read on from the cursor, {at}"] if at else []


def _document(job: str, found: Preview, notes: list[str], most: int) -> dict[str, Any]:
    shown = asdict(found.shown) | {"notes": notes}
    rejects = [{"reason": reason, "record": record} for record, reason in found.rejects[:most]]
    return {"job": job, **shown, "rejects": rejects, **asdict(found.counts), "cursors": found.cursors}


def _print(job: str, found: Preview, notes: list[str], most: int) -> None:
    shown = found.shown
    out.print(Text(job, style="bold") + Text(f" to {harmless(shown.target)}" if shown.target else ""), soft_wrap=True)
    if found.counts.pages:
        out.print(_counted(found), soft_wrap=True)
    for note in notes:
        out.print(Text(f"  {harmless(note)}", style="dim"), soft_wrap=True)
    if shown.columns:
        out.print()
        told = [{"name": one.name, "type": one.type, "note": "new" if one.is_new else ""} for one in shown.columns]
        listing(told, _COLUMN_COLUMNS, as_json=False, empty="")
    if shown.rows:
        out.print()
        listing(shown.rows, _row_columns(shown), as_json=False, empty="")
    _print_requests(shown)
    _print_rejects(found, min(most, _REJECTS))


def _print_rejects(found: Preview, most: int) -> None:
    if not found.rejects:
        return
    out.print()
    told = [
        {"number": number, "reason": reason, "record": record}
        for number, (record, reason) in enumerate(found.rejects[:most], 1)
    ]
    listing(told, _REJECT_COLUMNS, as_json=False, empty="")
    if len(found.rejects) > most:
        out.print(f"these are the first {most} of {len(found.rejects):,}; --json has more", style="dim")


def _print_requests(shown: Shown) -> None:
    if shown.requests:
        out.print()
        told = [
            {"request": f"{one.method} {one.url}", "body": _cut(_text(one.body), _LONGEST) if one.body else None}
            for one in shown.requests
        ]
        listing(told, _REQUEST_COLUMNS, as_json=False, empty="")


def _row_columns(shown: Shown) -> list[Column]:
    """Returns the columns of the table of rows: where they do not fit the last ones are left out first."""
    return [
        Column(one.name, show=lambda value: _cut(_text(value), _WIDEST), rank=rank)
        for rank, one in enumerate(shown.columns)
    ]


def _counted(found: Preview) -> str:
    counts = found.counts
    total = f" of {counts.expected:,}" if counts.expected is not None else ""
    named: Mapping[str, int] = {
        "written": counts.written,
        "unchanged": counts.unchanged,
        "deleted": counts.deleted,
        "rejected": counts.rejected,
    }
    would = [f"{count:,} {name}" for name, count in named.items() if count]
    outcome = f"would be {', '.join(would)}" if would else "nothing would be written"
    return f"{counts.read:,}{total} read in {many(counts.pages, 'page')}: {outcome}"


def _judge(found: Preview) -> None:
    """Raises WorkerError where nothing would get through."""
    counts = found.counts
    if counts.rejected and not (counts.written or counts.unchanged or counts.deleted):
        raise WorkerError(f"all {many(counts.rejected, 'record')} would be rejected: {found.rejects[0][1]}")
