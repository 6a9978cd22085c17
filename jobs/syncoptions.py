"""What a sync job says: from where to where, and what becomes of a record on its way."""

from typing import Self

from pydantic import Field, model_validator

from jobs.agreement import full_problem, map_problem, table_problem
from jobs.columns import Origin, TypedColumn
from jobs.contract import Duration
from jobs.destinations import DestinationOptions, rest_problem
from jobs.options import Options
from jobs.origins import SourceOptions
from jobs.sinks.restoptions import RestDestinationOptions


class SyncOptions(Options):
    """From where to where, and what becomes of a record on its way."""

    source: SourceOptions
    destination: DestinationOptions
    map: dict[str, Origin] | None = Field(
        default=None, description="Column to JMESPath, or to a table of options; absent: every field is a column."
    )
    types: dict[str, TypedColumn] | None = Field(
        default=None, description="Without map: what some fields become, each a type or a table of options."
    )
    flatten: bool = Field(
        default=False, description="Without map: objects become columns of their own, a.b as a_b; else they are JSON."
    )
    prefetch: int = Field(
        default=2, ge=0, le=16, description="Pages fetched ahead while others are stored; 0: one after the other."
    )
    full_every: Duration | None = Field(
        default=None,
        description="How often a run reads everything, whatever its cursor says; "
        "`worker trigger JOB --param full=true` does it once.",
    )

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        destination, source = self.destination, self.source
        if isinstance(destination, RestDestinationOptions):
            problem = rest_problem(destination, source, self.map) or full_problem("", source, self.full_every)
        else:
            problem = table_problem(destination, source, self.map)
            problem = problem or full_problem(destination.mode, source, self.full_every)
        problem = map_problem(self.map, self.types or (), flatten=self.flatten) or problem
        if problem:
            raise ValueError(problem)
        return self

    @property
    def database(self) -> str | None:
        """Where the rows go, and the cursor with them; None: the worker's own."""
        destination = self.destination
        return None if isinstance(destination, RestDestinationOptions) else destination.database
