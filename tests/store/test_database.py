"""Opening a database: its settings, its files, and every sentence that refuses one."""

import os
import sqlite3
import stat
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from worker.model.errors import StoreError, StoreInUse, StoreUnreachable
from worker.model.moments import elapsed_s
from worker.store import leaseclock, sqlite
from worker.store.database import Database, open_database
from worker.store.failures import passes
from worker.store.schema import upgrade

CANARY = "canary-5e1f"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Names a file that is not there yet."""
    return tmp_path / "worker.db"


@pytest.fixture
def opened(file: Path) -> Iterator[Database]:
    """Opens it, without a schema."""
    database = open_database(f"sqlite:///{file}")
    yield database
    database.close()


def _setting(connection: sa.Connection, name: str) -> object:
    return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


def test_every_sqlite_connection_is_durable_and_strict(opened: Database) -> None:
    """Readers' and writers' connections, several at once, all have the settings that the promises rest on."""
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1, "busy_timeout": 5000}
    wanted |= {"wal_autocheckpoint": 4000}
    with opened.write() as first, opened.read() as second, opened.read() as third:
        for connection in (first, second, third):
            assert {name: _setting(connection, name) for name in wanted} == wanted


def test_who_writes_has_the_same_connection_each_time(opened: Database) -> None:
    """It is no reader's meanwhile, so that its cache stays good; what a writer left it with serves no other."""
    with opened.write() as first, opened.read() as reading:
        pens = {id(first.connection.driver_connection)}
        assert reading.connection.driver_connection is not first.connection.driver_connection
    for _ in range(3):
        with opened.read():
            pass
        with opened.write() as again:
            pens.add(id(again.connection.driver_connection))
    assert len(pens) == 1
    with pytest.raises(sa.exc.ResourceClosedError):
        first.execute(sa.text("SELECT 1"))


def test_who_writes_has_what_was_settled_since_the_engine_was_disposed_of(opened: Database) -> None:
    """A listener added then meets the writing connection too."""
    with opened.write():
        pass
    sa.event.listen(opened.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    opened.engine.dispose()
    with opened.write() as connection:
        assert _setting(connection, "synchronous") == 0


def test_the_files_are_for_their_owner_alone(opened: Database, file: Path) -> None:
    """The database and what SQLite puts beside it, the claim too, have mode 0600."""
    opened.claim_daemon()
    with opened.write() as connection:
        connection.execute(sa.text("CREATE TABLE t (a integer)"))
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()}
    assert modes == dict.fromkeys(
        ("worker.db", "worker.db-wal", "worker.db-shm", "worker.db.lock"), stat.S_IRUSR | stat.S_IWUSR
    )


def test_a_relative_path_is_from_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three slashes name a file beside us; its place is told in full."""
    monkeypatch.chdir(tmp_path)
    database = open_database("sqlite:///here.db")
    assert database.location == os.path.realpath(tmp_path / "here.db")
    database.close()
    assert (tmp_path / "here.db").exists()


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    """The sentence names the folder, and what to do; nothing is made."""
    with pytest.raises(StoreUnreachable, match=r"the folder .*/nowhere does not exist; make it"):
        open_database(f"sqlite:///{tmp_path}/nowhere/worker.db")
    assert not list(tmp_path.iterdir())


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    """A path that cannot be opened for writing says so."""
    with pytest.raises(StoreUnreachable, match="cannot be opened for writing: Is a directory"):
        open_database(f"sqlite:///{tmp_path}")


def test_another_kind_of_file_is_no_database(file: Path) -> None:
    """A file of other content is refused and left as it is."""
    file.write_text("dear diary " * 200)
    with pytest.raises(StoreUnreachable, match="file is not a database"):
        open_database(f"sqlite:///{file}")
    assert file.read_text().startswith("dear diary")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("mysql://host/db", "expected sqlite or postgresql for the worker's own state, found mysql"),
        (f"postgresql+asyncpg://u:{CANARY}@h/d", "found postgresql.asyncpg"),
        ("sqlite://", "expected a file"),
        ("sqlite:///:memory:", "expected a file"),
        ("sqlite:///worker.db?mode=ro", "expected a file"),
        (f"sqlite://u:{CANARY}@host/worker.db", "expected a file"),
        (f"no url, but {CANARY}", "cannot be read; expected sqlite:///worker.db"),
    ],
)
def test_other_urls_are_refused(url: str, sentence: str) -> None:
    """Each URL that cannot hold the worker's state gets a sentence, without the password in it."""
    with pytest.raises(StoreError, match=sentence) as caught:
        open_database(url)
    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_an_unreachable_server_is_told_without_the_password() -> None:
    """The sentence names host, port and database; no text of the error holds the password."""
    with pytest.raises(StoreUnreachable, match=r"postgresql://127\.0\.0\.1:1/worker cannot be reached") as caught:
        open_database("postgresql://ann@127.0.0.1:1/worker", password=CANARY)
    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_a_wrong_database_is_told_without_the_password(postgres_url: str) -> None:
    """What the server refuses is told in its words; password and host are kept apart."""
    url = sa.make_url(postgres_url).set(database="nowhere").render_as_string(hide_password=False)
    with pytest.raises(StoreUnreachable, match='database "nowhere" does not exist') as caught:
        open_database(url, password=CANARY)
    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_a_missing_driver_names_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without psycopg the sentence says what to install."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreError, match=r"pip install 'integration-worker\[postgres\]'"):
        open_database("postgresql://host/db")


def test_a_postgres_session_is_as_designed(postgres_database: Database) -> None:
    """Isolation, zone, name and the bound on unanswered data are set in every session."""
    wanted = {
        "transaction_isolation": "read committed",
        "TimeZone": "UTC",
        "application_name": "integration-worker",
    }
    with postgres_database.write() as connection:
        for name, value in wanted.items():
            assert connection.execute(sa.text(f"SHOW {name}")).scalar() == value
        raw = connection.connection.driver_connection
        assert isinstance(raw, psycopg.Connection)
        parameters = raw.info.get_parameters()
    assert parameters["tcp_user_timeout"] == "15000"
    assert parameters["connect_timeout"] == "10"


def test_a_postgres_that_may_lose_commits_is_refused(postgres_url: str) -> None:
    """The setting that acknowledges too early is named, wherever it was made."""
    database = open_database(postgres_url)
    with database.write() as connection:
        name = connection.execute(sa.text("SELECT current_database()")).scalar_one()
        connection.execute(sa.text(f'ALTER DATABASE "{name}" SET synchronous_commit = off'))
    database.close()
    with pytest.raises(StoreError, match=r"synchronous_commit = off.*set it to on"):
        open_database(postgres_url)


def test_a_location_shows_neither_user_nor_password(postgres_database: Database) -> None:
    """What people are shown is host and database."""
    assert postgres_database.location.startswith("postgresql://")
    assert "postgres@" not in postgres_database.location
    assert "postgres:" not in postgres_database.location


def test_one_daemon_works_on_a_file(opened: Database, file: Path) -> None:
    """A second claim is refused with the process that has it; after its close the claim is free."""
    opened.claim_daemon()
    opened.claim_daemon()  # asking again is no second daemon
    other = open_database(f"sqlite:///{file}")
    with pytest.raises(StoreInUse, match=f"process {os.getpid()}"):
        other.claim_daemon()
    with other.write() as connection:  # processes beside the daemon may read and write
        connection.execute(sa.text("CREATE TABLE t (a integer)"))
    opened.close()
    other.claim_daemon()
    other.close()


@pytest.mark.process
def test_a_killed_daemon_leaves_no_claim(file: Path) -> None:
    """The claim of a process that was killed is free at once."""
    program = (
        "import sys; from worker.store.database import open_database; "
        "database = open_database(sys.argv[1]); database.claim_daemon(); print('claimed', flush=True); "
        "sys.stdin.readline()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, f"sqlite:///{file}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    database = open_database(f"sqlite:///{file}")
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"claimed\n"
        with pytest.raises(StoreInUse, match=f"process {child.pid}"):
            database.claim_daemon()
        child.kill()
    database.claim_daemon()
    database.close()


def test_a_lock_of_another_process_is_waited_for(opened: Database, file: Path) -> None:
    """A write begins once the other transaction has ended."""
    entered = threading.Event()

    def write() -> None:
        with opened.write():
            entered.set()

    with closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = threading.Thread(target=write)
        waiting.start()
        assert not entered.wait(0.05)
        other.execute("ROLLBACK")
        waiting.join(30)
    assert entered.is_set()


def test_a_lock_that_stays_is_told(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the last try the sentence says who is in the way; the line moves on."""
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.01)
    database = open_database(f"sqlite:///{file}")
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with (
            pytest.raises(StoreUnreachable, match=r"locked through 3 tries of 0\.01 s"),
            database.write(),
        ):
            pass
    with database.write():
        pass
    database.close()


def test_a_full_disk_is_told_as_something_that_passes(opened: Database) -> None:
    """A database at its page limit fails as a full disk does; with room again the next write works."""
    with opened.write() as connection:
        connection.execute(sa.text("CREATE TABLE t (a blob)"))
        connection.exec_driver_sql("PRAGMA max_page_count=10")
    fill = sa.text("INSERT INTO t VALUES (zeroblob(100000))")
    with pytest.raises(StoreUnreachable, match="full"), opened.write() as connection:
        connection.execute(fill)
    with opened.write() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=1000000")
        connection.execute(fill)


def test_an_error_of_the_driver_itself_does_not_pass() -> None:
    """Errors without a code are the caller's."""
    assert not passes(sqlite3.ProgrammingError("wrong number of bindings"))
    assert not passes(ValueError("mine"))


def test_replaced_bytes_are_gone_from_the_file(opened: Database, file: Path) -> None:
    """What a token's row held before it was replaced cannot be found in the file any more."""
    with opened.write() as connection:
        connection.execute(sa.text("CREATE TABLE t (a text)"))
        connection.execute(sa.text("INSERT INTO t VALUES (:a)"), {"a": CANARY * 50})
    with opened.write() as connection:
        connection.execute(sa.text("DELETE FROM t"))
    opened.close()  # the last connection takes the write-ahead log with it
    assert CANARY.encode() not in file.read_bytes()


def test_the_lease_clock_does_not_follow_the_wall_clock(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the wall clock jumps by a day the lease clock goes on; when seconds elapse it counts them."""
    with sqlite_database.write() as connection:
        first = sqlite_database.lease_now(connection)
    elapsed = elapsed_s() + 60
    monkeypatch.setattr(leaseclock, "utc_now", lambda: datetime.now(UTC) + timedelta(days=1))
    monkeypatch.setattr(leaseclock, "elapsed_s", lambda: elapsed)
    newcomer = open_database(f"sqlite:///{sqlite_database.location}")
    for database in (sqlite_database, newcomer):
        with database.read() as connection:
            later = database.lease_now(connection)
        assert timedelta(seconds=60) <= later - first < timedelta(seconds=70)
    newcomer.close()


def test_a_new_boot_starts_from_the_wall_clock(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a restart of the machine the elapsed time starts anew, and so does the lease clock."""
    with sqlite_database.read() as connection:
        sqlite_database.lease_now(connection)
    rebooted = datetime(2031, 1, 1, tzinfo=UTC)
    monkeypatch.setattr(leaseclock, "boot_id", lambda: "another boot")
    monkeypatch.setattr(leaseclock, "utc_now", lambda: rebooted)
    monkeypatch.setattr(leaseclock, "elapsed_s", lambda: 5.0)
    database = open_database(f"sqlite:///{sqlite_database.location}")
    with database.read() as connection:
        assert database.lease_now(connection) == rebooted
    database.close()


def test_a_rolled_back_look_binds_nobody(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the first look at the lease clock rolls back, the process follows what another one then wrote."""
    with pytest.raises(KeyError), sqlite_database.write() as connection:  # noqa: PT012  it ends by raising
        sqlite_database.lease_now(connection)
        raise KeyError
    monkeypatch.setattr(leaseclock, "utc_now", lambda: datetime(2031, 1, 1, tzinfo=UTC))
    other = open_database(f"sqlite:///{sqlite_database.location}")
    with other.write() as connection:
        theirs = other.lease_now(connection)
    with sqlite_database.read() as connection:
        ours = sqlite_database.lease_now(connection)
    other.close()
    assert timedelta(0) < ours - theirs < timedelta(seconds=10)


def test_many_threads_share_a_database(file: Path) -> None:
    """Twenty threads that read and write leave no connection open and no error behind."""
    database = open_database(f"sqlite:///{file}")
    upgrade(database)
    with database.write() as connection:
        connection.execute(sa.text("CREATE TABLE t (a integer)"))

    def work() -> None:
        for _ in range(5):
            with database.write() as connection:
                connection.execute(sa.text("INSERT INTO t VALUES (1)"))
            with database.read() as connection:
                connection.execute(sa.text("SELECT count(*) FROM t")).scalar_one()

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    with database.read() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM t")).scalar_one() == 100
    database.close()
    assert not file.with_name("worker.db-wal").exists()  # SQLite removes it with the last connection
