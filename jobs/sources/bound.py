"""Values bound into statements, and what a run knows to fill the names of a query."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from math import ceil
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from jobs.contract import Context, GiveUp
from jobs.sources.sqloptions import SqlSourceOptions
from jobs.sources.values import utc_text

_ROW_VALUES = ("sqlite", "postgresql")  # compare (a, b) > (x, y) by an index over both
_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")  # a time as sources put it out
_SECONDS = 19  # characters of 2026-01-31T08:00:00


def bound(value: object) -> sa.BindParameter[Any]:
    """Returns a value as the driver takes it: the database reads it as what it is compared with."""
    return sa.bindparam(None, value, type_=sa.types.NullType(), unique=True)


def behind(columns: Sequence[sa.ColumnClause[Any]], values: Sequence[object], dialect: str) -> sa.ColumnElement[bool]:
    """Returns the condition that a row comes after these values, in the order of these columns."""
    if dialect in _ROW_VALUES and len(columns) > 1:
        return sa.tuple_(*columns) > sa.tuple_(*map(bound, values))
    first, value = columns[0], values[0]
    if len(columns) == 1:
        return first > bound(value)
    return sa.or_(first > bound(value), sa.and_(first == bound(value), behind(columns[1:], values[1:], dialect)))


def text_of(told: str, options: SqlSourceOptions, context: Context, dialect: str, cursor: object) -> sa.TextClause:
    """Returns a query or condition with its values; raises GiveUp where :since is asked for and there is none."""
    values: dict[str, object] = dict(options.params)
    if "since" in options.asked:
        if context.window.since is None:
            raise GiveUp(
                f"{context.job}: this run's window has no beginning, which :since asks for; give the job a schedule of "
                "fixed ticks, run it by `worker backfill`, or use a cursor."
            )
        values["since"] = moment_of(context.window.since, dialect, options.zone)
    if isinstance(cursor, str) and _UTC.fullmatch(cursor):
        cursor = moment_of(datetime.fromisoformat(cursor), dialect, options.zone)
    values |= {"until": moment_of(context.window.until, dialect, options.zone), "cursor": cursor}
    wanted = [sa.bindparam(name, values[name], type_=sa.types.NullType()) for name in options.asked]
    return sa.text(told).bindparams(*wanted)


def moment_of(moment: datetime, dialect: str, zone: str) -> object:
    """Returns a time as such a database compares it: SQLite has text, and most others know no zones."""
    if dialect == "sqlite":
        return utc_text(moment, ZoneInfo("UTC"))
    return moment if dialect == "postgresql" else moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def alike(sample: str, moment: datetime, zone: str) -> str | None:
    """Returns a time written as the sample is, so that both compare as texts; None where that is no time."""
    try:
        told = datetime.fromisoformat(sample)
    except ValueError:
        return None
    local = moment.astimezone(told.tzinfo or ZoneInfo(zone)).replace(tzinfo=None)
    if len(sample) <= len("2026-01-31"):
        return local.date().isoformat()
    whole = local.isoformat(sep=sample[10], timespec="microseconds")
    rest = sample[_SECONDS:]
    digits = len(rest) - len(rest.lstrip(".0123456789"))
    return f"{whole[: _SECONDS + digits]}{rest[digits:]}"


def earlier(value: Any, seconds: float, zone: str) -> object:  # noqa: ANN401 - whatever a database holds
    """Returns a time, or its text, so much earlier; raises ValueError for what is no time."""
    span = timedelta(seconds=seconds)
    if isinstance(value, str):
        told = datetime.fromisoformat(value)
        aware = told if told.tzinfo else told.replace(tzinfo=ZoneInfo(zone))
        return alike(value, aware.astimezone(UTC) - span, zone)
    if isinstance(value, date) and not isinstance(value, datetime):
        span = timedelta(days=ceil(span / timedelta(days=1)))
    try:
        return value - span
    except TypeError:
        raise ValueError("no time") from None
