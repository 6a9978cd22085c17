"""A program that prints a secret: run without a shell, with little around it and not for long."""

import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from worker.model.errors import SecretError, SecretMissing
from worker.vault.files import LARGEST, decoded

TIMEOUT_S = 10.0
_ENVIRONMENT = ("PATH", "HOME", "LANG")


def first_output(
    command: Sequence[str], wanted: str, environment: Mapping[str, str], timeout_s: float = TIMEOUT_S
) -> str:
    """Returns what the program prints on its standard output.

    It gets no input and of the environment only PATH, HOME and LANG; its standard error is thrown away,
    because programs complain by quoting. Raises SecretMissing where there is no such program, SecretError
    where it fails, takes longer than `timeout_s` or prints too much.
    """
    arguments = [_program(command[0], wanted, environment), *command[1:]]
    kept = {name: environment[name] for name in _ENVIRONMENT if name in environment}
    try:
        process = subprocess.Popen(  # noqa: S603  # the program is the operator's own, and no shell reads it
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=kept,
            start_new_session=True,
        )
    except OSError as error:
        raise SecretError(f"{wanted}: {command[0]} cannot be started ({error.strerror}). Check the file.") from None
    with process:
        output = _output(process, f"{wanted}: {command[0]}", timeout_s)
    return decoded(output, f"{wanted}: the output of {command[0]}")


def _program(name: str, wanted: str, environment: Mapping[str, str]) -> str:
    if "/" in name and not Path(name).is_absolute():
        raise SecretError(
            f"{wanted}: {name} is a relative path, which means another program in each folder. Write the "
            "whole path, or a bare name that is in PATH."
        )
    path = environment.get("PATH", os.defpath)
    found = shutil.which(name, path=path)
    if found is None:
        looked = f"program {name} (does not exist or is not executable)"
        raise SecretMissing(wanted, [looked if "/" in name else f"program {name} in PATH {path} (does not exist)"])
    return found


def _output(process: subprocess.Popen[bytes], where: str, timeout_s: float) -> bytes:
    """Returns the output of a process that ended well; whatever happens, no process of its group is left."""
    deadline = time.monotonic() + timeout_s
    try:
        output = _read(process, deadline)
        code = process.wait(max(0.0, deadline - time.monotonic())) if len(output) <= LARGEST else 0
    except (TimeoutError, subprocess.TimeoutExpired):
        raise SecretError(
            f"{where} printed no secret within {timeout_s:g} s and was stopped. Run it by hand to see what "
            "it waits for."
        ) from None
    finally:
        _end(process)
    if code:
        how = f"ended with exit code {code}" if code > 0 else f"was killed by signal {-code}"
        raise SecretError(f"{where} {how}; expected 0. Run it by hand to see why.")
    return output


def _read(process: subprocess.Popen[bytes], deadline: float) -> bytes:
    """Returns the output up to its end, or a little over LARGEST bytes of it; raises TimeoutError."""
    assert process.stdout is not None  # noqa: S101  # opened as a pipe above
    descriptor = process.stdout.fileno()
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    output = b""
    while len(output) <= LARGEST:
        left_s = deadline - time.monotonic()
        if left_s <= 0 or not poll.poll(left_s * 1000):
            raise TimeoutError
        chunk = os.read(descriptor, LARGEST + 1)
        if not chunk:
            break
        output += chunk
    return output


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)  # not yet waited for, so the id is still its own
