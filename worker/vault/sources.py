"""Where secrets come from: the five places that a reference can name."""

import importlib
import os
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from worker.model.errors import SecretError, SecretMissing
from worker.model.secretref import SecretRef
from worker.vault.command import first_output
from worker.vault.files import read_mounted, read_private
from worker.vault.secret import Secret

RUN_SECRETS = Path("/run/secrets")  # where container runtimes mount secrets


@dataclass(frozen=True)
class Search:
    """One look-up: the configuration key that wants a secret, and where it is looked for."""

    wanted: str
    environment: Mapping[str, str]
    run_secrets: Path


def resolve(
    ref: SecretRef, wanted: str, environment: Mapping[str, str] = os.environ, run_secrets: Path = RUN_SECRETS
) -> Secret:
    """Returns the secret that `ref` names; `wanted` is the configuration key, for error messages.

    One newline at the end is not part of it. Raises SecretMissing with every place looked at, SecretUnsafe
    where others can read the file, SecretError where what lies there cannot be a secret.
    """
    text = read(ref, wanted, environment, run_secrets)
    if ref.command is not None:
        text = text.split("\n", 1)[0].removesuffix("\r")  # like git's and docker's helpers: the rest may be remarks
    if not text:
        raise SecretMissing(wanted, [f"{ref.describe()} (empty)"])
    _refuse_controls(text, f"{wanted}: {ref.describe()}")
    return Secret(text)


def read(
    ref: SecretRef, wanted: str, environment: Mapping[str, str] = os.environ, run_secrets: Path = RUN_SECRETS
) -> str:
    """Returns the text where `ref` points, without one newline at its end; it may have several lines.

    Raises like `resolve`.
    """
    place = next(name for name in _READERS if getattr(ref, name) is not None)
    text = _READERS[place](ref, Search(wanted, environment, run_secrets))
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise SecretMissing(wanted, [f"{ref.describe()} (empty)"])
    return text


def _from_environment(ref: SecretRef, search: Search) -> str:
    text = search.environment.get(ref.env or "")
    if text is None:
        raise SecretMissing(search.wanted, [f"environment variable {ref.env} (not set)"])
    return text


def _from_file(ref: SecretRef, search: Search) -> str:
    path = ref.file or Path()
    text = read_private(path, search.wanted)
    if text is None:
        raise SecretMissing(search.wanted, [f"file {path} (does not exist)"])
    return text


def _from_credential(ref: SecretRef, search: Search) -> str:
    name = ref.credential or ""
    looked = []
    given = search.environment.get("CREDENTIALS_DIRECTORY")
    if not given:
        looked.append("$CREDENTIALS_DIRECTORY (not set)")
    for folder in [Path(given), search.run_secrets] if given else [search.run_secrets]:
        text = read_mounted(folder / name, search.wanted)
        if text is not None:
            return text
        looked.append(f"{folder / name} (does not exist)")
    raise SecretMissing(search.wanted, looked)


def _from_command(ref: SecretRef, search: Search) -> str:
    return first_output(ref.command or (), search.wanted, search.environment)


def _from_keyring(ref: SecretRef, search: Search) -> str:
    service, _, user = (ref.keyring or "").partition("/")
    try:
        keyring = importlib.import_module("keyring")
    except ModuleNotFoundError:
        raise SecretError(
            f"{search.wanted} is in the desktop's key ring, for which a package is missing: "
            "pip install 'integration-worker[keyring]'"
        ) from None
    try:
        text: str | None = keyring.get_password(service, user)
    except Exception as error:  # noqa: BLE001  # each desktop's backend raises errors of its own
        raise SecretError(
            f"{search.wanted}: the desktop's key ring did not open ({type(error).__name__}). "
            "Unlock it, or keep the secret in a file or a credential."
        ) from None
    if text is None:
        raise SecretMissing(search.wanted, [f"desktop key ring, service {service}, user {user} (no entry)"])
    return text


_READERS: dict[str, Callable[[SecretRef, Search], str]] = {
    "env": _from_environment,
    "file": _from_file,
    "credential": _from_credential,
    "command": _from_command,
    "keyring": _from_keyring,
}


def _refuse_controls(text: str, where: str) -> None:
    """Raises SecretError for what no header, form or URL can carry; a PEM block keeps its lines."""
    allowed = "\r\n" if text.startswith("-----BEGIN ") else ""
    for at, character in enumerate(text, 1):
        category = unicodedata.category(character)
        if category == "Cs":
            raise SecretError(f"{where} is not UTF-8 text. Save it again as UTF-8.")
        if category == "Cc" and character not in allowed:
            found = "more than one line" if character in "\r\n" else f"a control character (U+{ord(character):04X})"
            raise SecretError(
                f"{where} holds {found}, at character {at}; expected the bare secret on one line. "
                "Write it anew, for example with printf %s."
            )
