"""How a verb ends that could not do what it was asked: one message on stderr, and an exit code."""

import errno
import os
import sys
from itertools import groupby
from pathlib import Path

from rich.text import Text

from jobs.contract import WorkerError
from worker.cli.output import err, fail, harmless
from worker.model.errors import ConfigurationError, KeyRingError, Problem, SchemaMismatch, SecretError
from worker.watch.crashes import EXIT_FAULT, summary

EXIT_USAGE = 2
EXIT_CONFIGURATION = 78  # sysexits EX_CONFIG; deploy/ tells systemd not to start it again
_FULL = {errno.ENOSPC, errno.EDQUOT}
_WRONG_SETUP = (ConfigurationError, KeyRingError, SecretError, SchemaMismatch)


def tell(error: Exception) -> int:
    """Prints an error and returns the exit code; one that is none of ours is a fault of this program."""
    if not isinstance(error, WorkerError):
        if told := _outside(error):
            return told
        fail(f"this is a fault of the worker, please report it: {summary(error)}")
        return EXIT_FAULT
    if isinstance(error, ConfigurationError):
        _list(error.problems)
    else:
        fail(str(error))
    return EXIT_CONFIGURATION if isinstance(error, _WRONG_SETUP) else 1


def _outside(error: Exception) -> int:
    """Prints what is no fault of this program though no error of its own says so; returns the exit code, or 0."""
    odd = [argument for argument in sys.argv[1:] if not _is_text(argument)]
    if odd:
        fail(f"{', '.join(map(ascii, odd))} on the command line: expected text in UTF-8, found bytes that are none")
        return EXIT_USAGE
    if isinstance(error, OSError) and error.errno in _FULL:
        fail(f"the output cannot be written: {error.strerror}")
        _drop_output()
        return 1
    return 0


def _drop_output() -> None:
    """Sends what is still buffered nowhere: Python would try it once more at its end, and exit with 120."""
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _is_text(argument: str) -> bool:
    try:
        argument.encode()
    except UnicodeEncodeError:  # Python hands bytes that are no UTF-8 over as halves of characters (PEP 383)
        return False
    return True


def _list(problems: list[Problem]) -> None:
    """Prints problems file by file, each as `file:line: key: message`, which editors and grep understand."""
    for _, group in groupby(problems, lambda problem: problem.file):
        for problem in group:
            err.print(Text(harmless(str(problem))), soft_wrap=True)
        err.print()
    some = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    fail(f"{some} in the configuration; nothing was started or changed")


def tell_stray(part: str, what: str) -> None:
    """Prints an error that nobody caught, of another thread or of an object's end."""
    fail(f"this is a fault of the worker, please report it: {part}: {what}")
