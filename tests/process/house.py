"""A house for one daemon: a folder with all it needs, a far end, and the real `worker` as child processes."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import orjson
import sqlalchemy as sa

from tests.fresh import new_file
from tests.process import nursery
from worker.model.moments import new_id, utc_now
from worker.model.records import Attempt, Call, Command, Run, RunState, TokenRow
from worker.sandbox.server import Sandbox
from worker.store import attempts, calls, commands, cursors, pastruns, tokens
from worker.store.database import Database, open_database
from worker.vault.keyring import create

T = TypeVar("T")
Row = tuple[str, int, datetime]  # id, revision, time of change

WITHIN_S = 60.0  # for what takes a second on a quiet machine
READY_S = 75.0  # a start imports and migrates, which a busy machine has it wait for
_LOOK_EVERY_S = 0.02

DEVICES = """
[jobs.devices]
type = "sync"
schedule = { every = "1s" }
source = { account = "tangoe", resource = "devices", paging = { size = 10 } }
destination = { table = "devices" }
"""

INCIDENTS = """
[jobs.incidents]
type = "sync"
schedule = { every = "1s" }
source = { account = "servicenow", resource = "table/incident" }
destination = { table = "incidents" }
"""

_CONFIG = """\
[worker]
name = "house"
drain_timeout = "{drain}"
lease = "{lease}"

[database]
url = "{database}"

[vault]
keys = {{ file = "worker.keys" }}

[defaults]
retry = {{ attempts = {attempts}, backoff = "200ms", max = "1s" }}

[accounts.tangoe]
profile = "tangoe"
base_url = "{sandbox.tangoe_url}"
token_url = "{sandbox.url}/as/token.oauth2"
tenant = "{who.tangoe_tenant}"
client_id = "{who.tangoe_client_id}"
client_secret = {{ file = "secrets/tangoe_client_secret" }}
grant = "password"
accept_password_grant = true
username = "{who.tangoe_username}"
password = {{ file = "secrets/tangoe_password" }}
max_body = "4MB"
retry = {{ attempts = {tries}, backoff = "50ms", max = "200ms" }}

[accounts.servicenow]
profile = "servicenow"
base_url = "{sandbox.servicenow_url}"
client_id = "{who.servicenow_client_id}"
client_secret = {{ file = "secrets/servicenow_client_secret" }}
"""


def wait_for(condition: Callable[[], T], what: str, within_s: float = WITHIN_S) -> T:
    """Returns what the condition returns once that is true; fails, saying `what` did not happen, after `within_s`."""
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"within {within_s:g} s there was not: {what}"
        time.sleep(_LOOK_EVERY_S)
    return found


@dataclass
class Daemon:
    """One `worker run`; `output` is its log, `errors` what it wrote to stderr."""

    process: nursery.Process
    output: Path
    errors: Path

    def lines(self, event: str = "") -> list[dict[str, Any]]:
        """Returns its whole log lines so far, or those of one event; every one must be JSON."""
        whole = self.output.read_bytes().rpartition(b"\n")[0].splitlines()
        return [line for line in map(orjson.loads, whole) if event in ("", line["event"])]

    def told(self, event: str, **facts: object) -> bool:
        """Tells whether it logged such an event with these facts."""
        return any(facts.items() <= line.items() for line in self.lines(event))

    def ready(self, within_s: float = READY_S) -> "Daemon":
        """Waits until it works."""

        def works() -> bool:
            assert self.process.poll() is None, f"it ended instead: {self.errors.read_text()}"
            return self.told("daemon.ready")

        wait_for(works, "daemon.ready", within_s)
        return self

    def ask_to_leave(self) -> None:
        """Sends TERM."""
        self.process.send_signal(signal.SIGTERM)

    def left(self, within_s: float = WITHIN_S) -> int:
        """Returns its exit code once it has ended."""
        return self.process.wait(within_s)

    def stop(self) -> None:
        """Sends TERM and expects a clean end."""
        self.ask_to_leave()
        assert self.left() == 0, self.errors.read_text()
        assert self.errors.read_text() == ""

    def kill(self) -> None:
        """Ends it as a power cut would: kill -9."""
        self.process.kill()
        self.process.wait()

    def pause(self) -> None:
        """Stops it where it is, as a debugger or a machine that is moved would."""
        self.process.send_signal(signal.SIGSTOP)

    def is_paused(self) -> bool:
        """Tells whether it stands still."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] == "T"

    def go_on(self) -> None:
        """Lets it go on where it was."""
        self.process.send_signal(signal.SIGCONT)


@dataclass
class House:
    """The folder, the far end and the database of one installation."""

    folder: Path
    sandbox: Sandbox
    url: str = "sqlite:///worker.db"
    environment: dict[str, str] = field(default_factory=dict)  # of its processes, beside the test's own
    _daemons: list[Daemon] = field(default_factory=list)
    _database: Database | None = None

    def __post_init__(self) -> None:
        who = self.sandbox.options.credentials
        (self.folder / "secrets").mkdir(mode=0o700, parents=True)
        self.secret("tangoe_client_secret", who.tangoe_client_secret)
        self.secret("tangoe_password", who.tangoe_password)
        self.secret("servicenow_client_secret", who.servicenow_client_secret)
        create(self.folder / "worker.keys")
        self.configure()

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.folder / "config.toml"

    def configure(self, *jobs: str, drain: str = "10s", lease: str = "30s", attempts: int = 3, tries: int = 2) -> None:
        """Writes the configuration: jobs, how long a stop waits, the lease, attempts of a run, tries of a call."""
        far_end = {"sandbox": self.sandbox, "who": self.sandbox.options.credentials}
        text = _CONFIG.format(database=self.url, drain=drain, lease=lease, attempts=attempts, tries=tries, **far_end)
        self.config.write_text(text + "".join(jobs))

    def secret(self, name: str, value: str) -> Path:
        """Writes a secret's file and returns it."""
        file = self.folder / "secrets" / name
        file.touch(mode=0o600)
        file.write_text(f"{value}\n")
        return file

    def start(self) -> Daemon:
        """Starts the daemon, on a database with the schema in place, and waits until it works."""
        self._furnish()
        return self.launch("run").ready()

    def launch(self, *arguments: str) -> Daemon:
        """Starts any verb of `worker` as a child process."""
        number = len(self._daemons)
        output, errors = self.folder / f"output-{number}", self.folder / f"errors-{number}"
        command, environment = [*arguments, "--config", str(self.config)], os.environ | self.environment
        with output.open("wb") as out, errors.open("wb") as err:
            process = nursery.start(command, out, err, environment)
        self._daemons.append(Daemon(process, output, errors))
        return self._daemons[-1]

    def _furnish(self) -> None:
        """Puts the database in place where there is none; PostgreSQL's was made before the house."""
        file = self.folder / "worker.db"
        if self.url == "sqlite:///worker.db" and not file.exists():
            new_file(file)

    @property
    def database(self) -> Database:
        """The worker's database, with the schema in place."""
        if self._database is None:
            self._furnish()
            self._database = open_database(self.url.replace("sqlite:///", f"sqlite:///{self.folder}/"))
        return self._database

    def runs(self, job: str = "devices", *states: RunState) -> list[Run]:
        """Returns the job's runs, oldest first."""
        with self.database.read() as connection:
            return pastruns.listing(connection, job, states, limit=1000)[::-1]

    def attempts(self, run: Run) -> list[Attempt]:
        """Returns a run's attempts."""
        with self.database.read() as connection:
            return attempts.of_run(connection, run.id)

    def calls(self) -> list[Call]:
        """Returns the trail, oldest first."""
        with self.database.read() as connection:
            return calls.listing(connection, limit=10_000)[::-1]

    def token(self, account: str = "tangoe") -> TokenRow:
        """Returns an account's row, sealed as it is."""
        with self.database.read() as connection:
            return tokens.load(connection, account)

    def cursor(self, job: str = "devices") -> Any:  # noqa: ANN401  any JSON value
        """Returns a job's cursor."""
        with self.database.read() as connection:
            return cursors.get(connection, job).value

    def trigger(self, job: str) -> None:
        """Asks for a run, as `worker trigger` does."""
        command = Command(new_id(), utc_now(), "a test", "trigger", job, {})
        with self.database.write() as connection:
            commands.post(connection, command)

    def execute(self, statement: str) -> None:
        """Changes the database as no daemon would."""
        with self.database.write() as connection:
            connection.execute(sa.text(statement))

    def newest(self, resource: str = "devices") -> str:
        """Returns when a row of the far end changed last, as a cursor says it."""
        return max(row["updated"] for row in self.sandbox.rows(resource))  # type: ignore[type-var, return-value]

    def rows(self, table: str = "devices") -> list[Row]:
        """Returns what is in a destination, sorted."""
        with self.database.read() as connection:
            found = connection.execute(sa.text(f"SELECT id, revision, updated FROM {table}")).all()
        return sorted(_row(*row) for row in found)

    def rows_there(self, resource: str = "devices") -> list[Row]:
        """Returns the same as it is at the far end."""
        return sorted(_row(row["id"], row["revision"], row["updated"]) for row in self.sandbox.rows(resource))

    def close(self) -> None:
        """Ends whatever still runs and closes the database."""
        for daemon in self._daemons:
            with suppress(ProcessLookupError):
                daemon.process.kill()
            daemon.process.wait()
        if self._database is not None:
            self._database.close()


def _row(key: object, revision: object, updated: object) -> Row:
    return str(key), int(str(revision)), datetime.fromisoformat(str(updated))
