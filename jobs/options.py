"""The manners that the options of every job type share."""

from pydantic import BaseModel, ConfigDict


class Options(BaseModel):
    """A part of a job's options: frozen, no unknown keys, no input values in error texts."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
