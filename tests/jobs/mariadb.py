"""A MariaDB server for tests, where one is installed: apt-get install mariadb-server; pip install pymysql."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import sqlalchemy as sa

_TOOLS = ("mariadbd", "mariadb-install-db")


def missing() -> str:
    """Returns what a test on MariaDB lacks here; empty where it can run."""
    absent = [tool for tool in _TOOLS if shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin") is None]
    absent += [] if find_spec("pymysql") else ["pymysql"]
    return f"not installed: {', '.join(absent)}" if absent else ""


@contextmanager
def server(folder: Path) -> Iterator[sa.Engine]:
    """Starts a server on files in the folder, behind a socket; yields an engine on an empty database."""
    socket, data, user = folder / "sock", folder / "data", "root"
    if os.getuid() == 0:
        user = "mysql"
        shutil.chown(folder, user)
    else:
        user = os.environ.get("USER", "")
    _settle(data, user)
    options = [
        f"--datadir={data}",
        f"--socket={socket}",
        "--skip-networking",
        f"--user={user}",
        "--innodb-fast-shutdown=2",
    ]
    command = ["/usr/sbin/mariadbd", "--no-defaults", *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if b"ready for connections" in line:
                break
        yield _database(socket)
    finally:
        process.terminate()
        process.communicate()


def _settle(data: Path, user: str) -> None:
    options = ["--auth-root-authentication-method=normal", "--skip-test-db", f"--user={user}", f"--datadir={data}"]
    made = subprocess.run(["mariadb-install-db", "--no-defaults", *options], capture_output=True, check=False)
    assert made.returncode == 0, made.stdout.decode()[-2000:] + made.stderr.decode()[-2000:]


def _database(socket: Path) -> sa.Engine:
    url = sa.URL.create("mysql+pymysql", username="root", query={"unix_socket": str(socket), "charset": "utf8mb4"})
    first = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with first.connect() as connection:
        connection.exec_driver_sql("CREATE DATABASE jobs")
    first.dispose()
    return sa.create_engine(url.set(database="jobs"))
