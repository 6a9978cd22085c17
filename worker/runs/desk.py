"""What a verb of an operator's command works with, and what it hands back."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, ValidationError

from jobs.contract import Json
from worker.config.configuration import JobDefinition
from worker.model.records import Command, Run
from worker.runs.book import Book
from worker.runs.claims import record
from worker.runs.ending import Ended

ArgumentsT = TypeVar("ArgumentsT", bound=BaseModel)

_LARGEST_ID = 2**63 - 1


class Refused(Exception):
    """A command that cannot be carried out; its text says why, and what to do instead."""


class Arguments(BaseModel):
    """A command's arguments; each verb that has some says which. Anybody can write to the table."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


@dataclass(frozen=True)
class Done:
    """What came of a command: the outcome in words, the runs that it recorded, and what it ended."""

    outcome: str = "done"
    recorded: list[Run] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)


Act = Callable[[sa.Connection], Done]
"""What a command does, in the transaction that records its outcome; raises Refused, and then nothing is done."""


@dataclass(frozen=True)
class Desk:
    """One command, and what this node knows at the moment it is carried out."""

    command: Command
    book: Book
    now: datetime

    @property
    def job(self) -> JobDefinition:
        """The job that the command names; raises Refused where there is none."""
        return self.job_of(self.command.target)

    def job_of(self, name: str) -> JobDefinition:
        """Returns the definition of a job; raises Refused where there is none."""
        job = self.book.get(name)
        if job is None:
            raise Refused(f"no job {name} is configured")
        return job

    @property
    def id_named(self) -> int | None:
        """The id that the command names; None where it names something else."""
        target = self.command.target
        return int(target) if target.isascii() and target.isdecimal() and int(target) <= _LARGEST_ID else None

    @property
    def run_named(self) -> int | None:
        """The run that the command names by its id; None where it names a job, as one whose name is all digits."""
        return None if self.book.get(self.command.target) else self.id_named

    @property
    def parameters(self) -> dict[str, Json]:
        """The command's arguments, whatever their names; raises Refused where they have none."""
        given = self.command.arguments
        if not isinstance(given, dict):
            raise Refused(f"expected parameters by name, found {given!r:.200}")
        return given

    def arguments(self, model: type[ArgumentsT]) -> ArgumentsT:
        """Returns the command's arguments; raises Refused where they are not what the verb takes."""
        try:
            return model.model_validate(self.parameters)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise Refused(f"{where}: {first['msg']}" if where else first["msg"]) from None

    def recording(self, *runs: Run) -> Act:
        """Returns an act that records these runs."""
        return lambda connection: Done(recorded=record(connection, self.book, runs, self.now))


Verb = Callable[[Desk], Act]
"""Checks a command before its transaction; raises Refused."""
