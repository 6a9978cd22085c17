"""What the columns of the schema hold beyond SQL's own types: times, JSON, text of others.

Times are UTC: SQLite keeps them as text `YYYY-MM-DDTHH:MM:SS.ffffffZ`, which sorts as time does,
PostgreSQL as timestamptz.
"""

from datetime import UTC, datetime

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from jobs.contract import Json
from worker.store.dialect import words_of


class Moment(TypeDecorator[datetime]):
    """An aware UTC datetime; naive ones are refused with ValueError."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[datetime]:
        """Returns timestamptz on PostgreSQL and text elsewhere."""
        kind = sa.DateTime(timezone=True) if dialect.name == "postgresql" else sa.Text()
        return dialect.type_descriptor(kind)  # type: ignore[arg-type]

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | str | None:
        """Returns what the driver is given."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        moment = value if value.tzinfo is UTC else value.astimezone(UTC)
        if dialect.name == "postgresql":
            return moment
        return f"{moment.isoformat(timespec='microseconds')[:-6]}Z"  # without +00:00

    def process_result_value(
        self,
        value: datetime | str | None,
        dialect: Dialect,  # noqa: ARG002  SQLAlchemy hands it over
    ) -> datetime | None:
        """Returns an aware UTC datetime; what names no zone, as SQLite's own datetime('now'), is in UTC."""
        if value is None:
            return None
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return value.astimezone(UTC)


class Document(TypeDecorator[Json]):
    """Any JSON value: JSONB on PostgreSQL, text elsewhere.

    SQLAlchemy's JSON would be a numeric column on SQLite, which turns the text of a number into another number.
    """

    impl = sa.JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Json]:
        """Returns JSONB on PostgreSQL and text elsewhere."""
        return dialect.type_descriptor(words_of("postgresql").JSONB() if dialect.name == "postgresql" else sa.Text())

    def process_bind_param(self, value: Json, dialect: Dialect) -> Json:
        """Returns what the driver is given."""
        return value if dialect.name == "postgresql" else orjson.dumps(value).decode()

    def process_result_value(self, value: Json, dialect: Dialect) -> Json:
        """Returns the decoded value."""
        return value if value is None or dialect.name == "postgresql" else orjson.loads(value)


class Words(TypeDecorator[str]):
    """Text of others, such as an error's: NUL and half characters, which no database takes, are spelled out."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002  SQLAlchemy's form
        """Returns what the driver is given."""
        if value is None or (value.isascii() and "\0" not in value):
            return value
        return value.replace("\0", "\\u0000").encode("utf-8", "backslashreplace").decode("utf-8")
