"""Files: what is included, what cannot be read, what is no TOML, and which folder a relative path starts from."""

from pathlib import Path

import pytest

from tests.config.loading import Load, Problems, Write
from worker.config import documents
from worker.config.load import load
from worker.model.errors import ConfigurationError, Problem

_JOB = 'type = "sync"\nsource = { account = "erp", path = "/x" }\ndestination = { table = "t", key = "id" }\n'


def _problems(file: Path) -> list[Problem]:
    with pytest.raises(ConfigurationError) as caught:
        load(file, {})
    return caught.value.problems


def test_a_job_is_added_by_adding_a_file(write: Write, good: str) -> None:
    """Included files come in the order of their names, after the main file; all are told."""
    late, early = write(f"[jobs.z]\n{_JOB}", "jobs.d/z.toml"), write(f"[jobs.a]\n{_JOB}", "jobs.d/a.toml")
    main = write(f'include = ["jobs.d/*.toml", "jobs.d/a.toml", "none.d/*.toml", "*.toml"]\n{good}')
    configuration = load(main, {})
    assert configuration.files == (main, early, late)
    assert list(configuration.jobs) == ["orders", "a", "z"]
    assert configuration.where("jobs.z.source") == (late, 3)


@pytest.mark.parametrize("section", ["jobs", "accounts", "databases", "profiles"])
def test_a_name_taken_in_another_file_is_one_problem_naming_both(write: Write, good: str, section: str) -> None:
    """The second place is blamed, the first is named; the first one's content stands."""
    bodies = {
        "jobs": _JOB,
        "accounts": 'base_url = "https://x"\n',
        "databases": 'url = "sqlite:///x"\n',
        "profiles": "",
    }
    first = write(f"\n[{section}.twice]\n{bodies[section]}", "parts/a.toml")
    second = write(f"# other\n\n[{section}.twice]\n{bodies[section]}", "parts/b.toml")
    extra = (
        'token_url = "https://x/t"\nclient_id = "c"\nclient_secret = { env = "E" }\n' if section == "accounts" else ""
    )
    first.write_text(first.read_text() + extra)
    [problem] = _problems(write(f'include = "parts/*.toml"\n{good}'))
    assert (problem.file, problem.line, problem.key) == (second, 3, f"{section}.twice")
    assert f"{first}:2" in problem.message


def test_an_included_file_may_not_hold_sections(write: Write, good: str) -> None:
    """Only named tables may stand in included files."""
    part = write('[log]\nlevel = "debug"\n', "part.toml")
    [problem] = _problems(write(f'include = "part.toml"\n{good}'))
    assert (problem.file, problem.line, problem.key) == (part, 1, "log")
    assert "move this to config.toml" in problem.message


def test_an_included_file_that_is_not_there_is_told(problems: Problems, good: str) -> None:
    """A path without a pattern must lead to a file; the line within a list is told."""
    [problem] = problems(f'include = [\n  "jobs.d/*.toml",\n  "job.toml",\n]\n{good}')
    assert (problem.line, problem.key) == (3, "include[1]")
    assert '"job.toml"' in problem.message


def test_names_in_an_unreadable_file_are_not_called_unknown(write: Write, good: str) -> None:
    """Where an included file cannot be read, what refers to it is not blamed as well."""
    broken = write("[accounts.other\n", "other.toml")
    main = write('include = "other.toml"\n' + good.replace('account = "erp"', 'account = "other"'))
    [problem] = _problems(main)
    assert (problem.file, problem.line) == (broken, 1)


def test_a_missing_main_file_says_how_to_make_one(tmp_path: Path) -> None:
    """The first thing a new user sees is what to type."""
    [problem] = _problems(tmp_path / "config.toml")
    assert "cp config.example.toml config.toml" in problem.message


@pytest.mark.parametrize(
    ("raw", "line", "message"),
    [
        (b"", None, "the file is empty"),
        (b" \n\n", None, "the file is empty"),
        ("[vault]\n".encode("utf-16"), None, "found UTF-16"),
        (b"[vault]\n# caf\xe9\n", 2, "found the byte 0xe9"),
        (b"a = " + b"[" * 5000 + b"]" * 5000, None, "too deep"),
        (b"[vault]\nkeys = \x00\n", 2, "this is not TOML"),
    ],
)
def test_a_file_that_is_no_text_is_told(write: Write, raw: bytes, line: int | None, message: str) -> None:
    """Each way in which a file is no TOML text has its own sentence."""
    [problem] = _problems(write(raw))
    assert problem.line == line
    assert message in problem.message


def test_a_byte_order_mark_is_passed_over(write: Write, good: str) -> None:
    """What an editor on Windows writes loads all the same."""
    assert load(write(b"\xef\xbb\xbf" + good.replace("\n", "\r\n").encode()), {}).jobs


def test_a_folder_in_place_of_a_file_is_told(write: Write, good: str, tmp_path: Path) -> None:
    """Including a folder is told with the pattern that was meant."""
    (tmp_path / "jobs.d").mkdir()
    [problem] = _problems(write(f'include = "jobs.d"\n{good}'))
    assert (problem.line, problem.key) == (1, "include")
    assert 'include what is in it: "jobs.d/*.toml"' in problem.message


def test_a_huge_file_is_refused(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file beyond any configuration's size is not read."""
    monkeypatch.setattr(documents, "LARGEST", 1024**2)
    [problem] = _problems(write(b"#" * (2 * 1024**2)))
    assert "at most 1 MB of TOML, found 2 MB" in problem.message


@pytest.mark.parametrize(
    ("text", "line", "hint"),
    [
        ("a = {\n  b = 1\n}\n", 1, "an inline table { ... } ends on the line it begins on"),
        ("x = 1\na = hello\n", 2, 'text stands in quotes: key = "value"'),
        ("a = 30s\n", 1, "text stands in quotes"),
        ('p = "C:\\Users\\x"\n', 1, "write a Windows path in single quotes"),
        ('p = "C:\\dir"\n', 1, "write a Windows path in single quotes"),
        ("\n\na: 1\n", 3, "TOML writes key = value"),
        ("a =\n", 1, "a value is missing"),
        ("a = True\n", 1, "write true or false"),
        ("a = yes\n", 1, "write true or false"),
        ("x = 1\na = [1,\n2\nb = 3\n", 4, "not TOML"),
        ("x = 1\na = [1,\n2\n", 2, "unclosed array"),
        ("[x\n", 1, "a table's header ends with ]"),
        ('a = "x\nb = 1\n', 1, "the quote that opens here is not closed"),
        ("a = 1\na = 2\n", 2, "stands in this file twice"),
        ("[a]\n\n[a]\n", 3, "stands in this file twice"),
        ("a = \u201cx\u201d\n", 1, "the quotes are typographic ones"),
        ("a\u00a0= 1\n", 1, "invisible character"),
    ],
)
def test_a_syntax_error_has_its_line_and_a_hint(write: Write, text: str, line: int, hint: str) -> None:
    """The faults that people make are told with what to write instead."""
    [problem] = _problems(write(text))
    assert (problem.line, problem.key) == (line, "")
    assert hint in problem.message


def test_relative_paths_start_at_the_file_that_names_them(write: Write, good: str, tmp_path: Path) -> None:
    """Secrets, logs, certificates and SQLite files are found beside the file that names them."""
    write(
        '[databases.dw]\nurl = "sqlite:///dw.db?mode=rw"\n[accounts.more]\nbase_url = "https://x"\ntoken_url = "https://x/t"\n'
        'client_id = "c"\nclient_secret = { file = "s/more" }\nca_bundle = "ca.pem"\n',
        "sub/more.toml",
    )
    configuration = load(
        write(f'include = "sub/*.toml"\n{good}\n[log]\nfile = "w.log"\n[network]\nca_bundle = "/etc/ca"\n'), {}
    )
    more = configuration.accounts["more"]
    assert configuration.databases["dw"].url == f"sqlite:///{tmp_path}/sub/dw.db?mode=rw"
    assert configuration.database.url == f"sqlite:///{tmp_path}/worker.db"
    assert more.client_secret is not None
    assert more.client_secret.file == tmp_path / "sub" / "s" / "more"
    assert more.ca_bundle == tmp_path / "sub" / "ca.pem"
    assert configuration.log.file == tmp_path / "w.log"
    assert configuration.network.ca_bundle == Path("/etc/ca")
    assert configuration.vault.keys.file == tmp_path / "worker.keys"


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///file:x?uri=true", "postgresql://u@h/d"])
def test_other_urls_stay_as_they_are(loaded: Load, good: str, url: str) -> None:
    """Databases in memory, URIs and servers have no path to complete."""
    assert loaded(f'{good}[databases.w]\nurl = "{url}"\n').databases["w"].url == url


def test_empty_paths_are_none(loaded: Load, good: str) -> None:
    """An empty log file means standard output, not the folder."""
    configuration = loaded(f'{good}[log]\nfile = ""\n[network]\nca_bundle = ""\n')
    assert (configuration.log.file, configuration.network.ca_bundle) == (None, None)


def test_where_names_the_nearest_table(loaded: Load, good: str) -> None:
    """A key that stands nowhere is looked for where it would stand; one of no table has no place."""
    configuration = loaded(good)
    main = configuration.files[0]
    assert configuration.where("accounts.erp.password") == (main, 4)
    assert configuration.where("log.level") is None
    problem = configuration.problem("accounts.erp.client_secret", "is not there")
    assert str(problem) == f"{main}:8: accounts.erp.client_secret: is not there"
