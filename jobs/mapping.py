"""One record to another: a row's columns from a record's fields; pure, but for lookups in tables.

Without a map each field becomes a column of its name, nested objects as they are (the sink keeps them as JSON) or, on
wish, flattened: `{"a": {"b": 1}}` becomes the column a_b. With a map each column is read by its JMESPath, and a path
that finds nothing gives null. A record that cannot be mapped or typed is a reject; the others go on.
"""

from collections.abc import Collection
from collections.abc import Mapping as Table

from jobs.allfields import AllFields, TypedFields, column_name
from jobs.cells import Find
from jobs.columns import ColumnOptions
from jobs.mapped import Mapped, Mapping
from jobs.mappedfields import MappedFields

__all__ = ["Mapped", "Mapping", "column_name", "mapping"]


def mapping(
    columns: Table[str, str | ColumnOptions] | None,
    *,
    flatten: bool = False,
    types: Table[str, ColumnOptions] | None = None,
    reserved: Collection[str] = (),
    find: Find | None = None,
) -> Mapping:
    """Returns how records become rows: by these columns, or all fields where there are none, made what `types` say."""
    if columns is not None:
        return MappedFields(columns, find)
    fields = AllFields(reserved, flatten=flatten)
    return TypedFields(fields, types, find) if types else fields
