"""All files of a configuration joined into one draft: the main one, then what it includes."""

import glob
from pathlib import Path

from worker.config.documents import Document, read_document, read_section
from worker.config.draft import Draft
from worker.config.lines import KeyPath, dotted
from worker.model.errors import Problem

NAMED = ("accounts", "databases", "profiles", "jobs")  # sections that hold tables by name


def join(main: Path) -> tuple[Draft, tuple[Path, ...]]:
    """Returns the draft, and the files it was made of in their order."""
    draft = Draft(main)
    document = read_document(main)
    if isinstance(document, Problem):
        draft.problems.append(document)
        return draft, (main,)
    _adopt(draft, document, tuple(document.data))
    files = [main]
    for file in _included(draft, main):
        files.append(file)
        found = read_document(file)
        if isinstance(found, Problem):
            draft.problems.append(found)
            draft.whole = False
        else:
            _adopt_included(draft, found)
    return draft, tuple(files)


def alone(main: Path, section: str) -> Draft:
    """Returns a draft of one section, which only the main file can hold; its problem where that cannot be read.

    What is broken elsewhere in the file keeps nobody from it.
    """
    draft = Draft(main)
    document = read_section(main, section)
    if isinstance(document, Problem):
        draft.problems.append(document)
    else:
        _adopt(draft, document, (section,))
    return draft


def _included(draft: Draft, main: Path) -> list[Path]:
    """Returns the files that `include` names, each once, in the order of its patterns and sorted within one."""
    patterns = draft.data.pop("include", [])
    patterns = [patterns] if isinstance(patterns, str) else patterns
    if not isinstance(patterns, list) or not all(isinstance(pattern, str) for pattern in patterns):
        draft.blame(("include",), 'expected a list of paths such as ["jobs.d/*.toml"], found something else')
        return []
    found: dict[Path, Path] = {}
    for index, pattern in enumerate(patterns):
        files = sorted(map(Path, glob.glob(str(main.parent / pattern), recursive=True)))  # noqa: PTH207 - may be absolute
        if not glob.has_magic(pattern) and not any(file.is_file() for file in files):
            draft.blame(("include", index), _no_file(pattern, main))
        for file in files:
            if not file.is_dir():
                found.setdefault(file.resolve(), file)
    return [file for resolved, file in found.items() if resolved != main.resolve()]


def _no_file(path: str, main: Path) -> str:
    if (main.parent / path).is_dir():
        return f'expected a file, found the folder "{path}"; include what is in it: "{path}/*.toml"'
    return f'there is no file "{path}" beside {main.name}; correct the path or take it out'


def _adopt_included(draft: Draft, document: Document) -> None:
    allowed = f"[{'.*], ['.join(NAMED)}.*]"
    for key in document.data:
        if key not in NAMED:
            message = f"an included file holds only {allowed}; move this to {draft.main.name}"
            _blame_line(draft, document, (key,), message)
    _adopt(draft, document, NAMED)


def _adopt(draft: Draft, document: Document, sections: tuple[str, ...]) -> None:
    """Takes a document's sections into the draft; a name that another file has taken is a problem."""
    for section in sections:
        value = document.data.get(section, {})
        if section in document.data:
            draft.places.adopt((section,), document.written)
        if section not in NAMED:
            draft.data[section] = value
        elif isinstance(value, dict):
            for name in value:
                _add(draft, document, section, name)
        else:
            _blame_line(draft, document, (section,), f"expected tables such as [{section}.NAME], found something else")


def _add(draft: Draft, document: Document, section: str, name: str) -> None:
    """Adds one named table; a name that is taken is a problem."""
    tables = draft.data.setdefault(section, {})
    if name not in tables:
        tables[name] = document.data[section][name]
        draft.places.adopt((section, name), document.written)
        return
    first = draft.place((section, name))
    message = f"the name is taken by {first.file}:{first.line}; give one of the two another name"
    _blame_line(draft, document, (section, name), message)


def _blame_line(draft: Draft, document: Document, path: KeyPath, message: str) -> None:
    written = document.written
    draft.problems.append(Problem(written.file, written.lines.get(path), dotted(path), message))
