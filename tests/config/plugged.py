"""A type of job from a plug-in, whose options hang on the environment."""

import os
from typing import Self

from pydantic import model_validator

from jobs.contract import Context, Job
from jobs.options import Options


class AnythingOptions(Options):
    """Options that the environment refuses."""

    @model_validator(mode="after")
    def _asked(self) -> Self:
        if os.environ.get("REFUSES"):
            raise ValueError("not today")
        return self


class Anything(Job[AnythingOptions]):
    """Does nothing."""

    options_model = AnythingOptions

    def run(self, context: Context) -> None:
        """Does nothing."""
