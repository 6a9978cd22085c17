"""TOML files read, each with its lines; what cannot be read is a problem that says what to do."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from worker.config.lines import Toml
from worker.config.places import Written
from worker.config.syntax import syntax_problem
from worker.model.errors import Problem

LARGEST = 10 * 1024**2  # bytes
_MAKE_ONE = "make one from the example: cp config.example.toml {name}"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Document:
    """One TOML file as it was written."""

    written: Written
    data: dict[str, Toml]


def read_document(file: Path) -> Document | Problem:
    """Returns the file's content, or what is wrong with it."""
    text = _read(file)
    return text if isinstance(text, Problem) else parsed(file, text)


def read_section(file: Path, section: str) -> Document | Problem:
    """Returns the file's content, and where that is broken elsewhere what stands below `[section]`, at its lines."""
    text = _read(file)
    if isinstance(text, Problem):
        return text
    whole = parsed(file, text)
    if isinstance(whole, Document) or (section in text and f"[{section}]" not in text):
        return whole
    part = parsed(file, _below(text, section))
    return part if isinstance(part, Document) else whole


def _below(text: str, section: str) -> str:
    """Returns the text with all lines blank but those of a section."""
    kept, within = list[str](), False
    for line in text.splitlines():
        if line.startswith("["):
            within = line.startswith((f"[{section}]", f"[{section}."))
        kept.append(line if within else "")
    return "\n".join(kept)


def parsed(file: Path, text: str) -> Document | Problem:
    """Returns the TOML in a text, or the problem of its first fault."""
    try:
        return Document(Written.of(file, text), tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        return syntax_problem(file, text, str(error))
    except RecursionError:
        return Problem(file, None, "", "this nests tables or lists too deep to be read; write [tables] with headers")


def _read(file: Path) -> str | Problem:
    raw = _bytes(file)
    return raw if isinstance(raw, Problem) else _text(file, raw)


def _bytes(file: Path) -> bytes | Problem:
    try:
        size = file.stat().st_size
        if size > LARGEST:
            message = f"expected at most {LARGEST >> 20} MB of TOML, found {size >> 20} MB; is it the right file?"
            return Problem(file, None, "", message)
        return file.read_bytes()
    except FileNotFoundError:
        return Problem(file, None, "", f"there is no such file; {_MAKE_ONE.format(name=file.name)}")
    except IsADirectoryError:
        return Problem(file, None, "", f"expected a file, found a folder; name a file, or include {file.name}/*.toml")
    except OSError as error:
        return Problem(file, None, "", f"this cannot be read: {error.strerror}; check its owner and mode")


def _text(file: Path, raw: bytes) -> str | Problem:
    if raw.startswith(_UTF_16):
        return Problem(file, None, "", "expected text in UTF-8, found UTF-16; save the file as UTF-8")
    try:
        text = raw.decode("utf-8-sig")  # editors on Windows write a byte order mark; it carries nothing
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        message = f"expected text in UTF-8, found the byte 0x{raw[error.start]:02x}; save the file as UTF-8"
        return Problem(file, line, "", message)
    if not text.strip():
        remedy = f"{_MAKE_ONE.format(name=file.name)}, or delete it where nothing needs it"
        return Problem(file, None, "", f"the file is empty; {remedy}")
    return text
