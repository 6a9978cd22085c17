"""What a column holds: the words that mapping and destinations share."""

from enum import StrEnum


class Kind(StrEnum):
    """What a column holds."""

    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"  # exact, as text such as 12.50; never inferred, only declared
    FLOAT = "float"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"  # in UTC, as text YYYY-MM-DDTHH:MM:SS.ffffffZ
    DATE = "date"  # as text YYYY-MM-DD; never inferred, only declared
    JSON = "json"
    NAIVE = "timestamp without zone"  # only in tables that are not ours; kept in UTC
    OTHER = "other"  # a type of the user's own; the database judges
