"""A whole worker, built from a configuration, beside far ends that do wrong; and everything it leaves behind."""

import contextlib
import socket
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import pytest

from jobs.contract import WorkerError
from tests.canary import Canaries, Find, new_mark
from tests.wire.farend import FarEnd, Play, Request, answer
from worker.calls.means import RunRef
from worker.cli.ending import tell
from worker.config.load import load
from worker.model.events import WorkerFailed
from worker.model.listening import Events
from worker.runs.outcome import describe
from worker.vault.keyring import create
from worker.watch.crashes import summary
from worker.watch.logs import configure, log_event
from worker.wiring.build import Worker, build
from worker.wiring.secrets import Secrets, fetch

OWN = Canaries(new_mark())  # not those of the session: some tests let them out on purpose
CLIENT_SECRET, PASSWORD = OWN.token("client secret"), OWN.secret("password")
ACCESS, REFRESH = OWN.token("access token"), OWN.token("refresh token")
TOKEN = answer(orjson.dumps({"access_token": ACCESS, "refresh_token": REFRESH, "expires_in": 3600}))
NOTHING = answer(b"{}")

_CONFIG = """\
[database]
url = "sqlite:///worker.db"
[vault]
keys = {{ file = "worker.keys" }}
[log]
level = "debug"
format = "{format}"
file = "worker.log"
[network]
proxy = "{proxy}"
[accounts.erp]
base_url = "{api}"
{credential}
connect_timeout = "2s"
deadline = "5s"
retry = {{ attempts = 1, backoff = "1ms", max = "1ms" }}
{more}
"""

PASSWORD_GRANT = """\
token_url = "{tokens}/token"
client_id = "client"
client_secret = {{ file = "secrets/client_secret" }}
grant = "password"
accept_password_grant = true
username = "command://svc"
password = {{ file = "secrets/password" }}
"""
BASIC = 'grant = "basic"\nusername = "svc"\npassword = {{ file = "secrets/password" }}'
API_KEY = 'grant = "api_key"\napi_key = {{ file = "secrets/client_secret" }}'


@dataclass
class Scene:
    """One configured account `erp`, its far ends, and what became of its calls."""

    folder: Path
    api: str
    tokens: str
    format: str = "json"
    proxy: str = ""
    more: str = ""
    credential: str = PASSWORD_GRANT
    errors: list[BaseException] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.folder / "secrets").mkdir()
        for name, value in (("client_secret", CLIENT_SECRET), ("password", PASSWORD)):
            file = self.folder / "secrets" / name
            file.touch(mode=0o600)
            file.write_text(value)
        create(self.folder / "worker.keys")
        given = {"api": self.api, "format": self.format, "proxy": self.proxy, "more": self.more}
        text = _CONFIG.format(**given, credential=self.credential.format(tokens=self.tokens))
        (self.folder / "config.toml").write_text(text)

    @contextlib.contextmanager
    def worker(self) -> Iterator[tuple[Worker, Secrets]]:
        """Builds the worker with its log, and takes all down again."""
        configuration = load(self.folder / "config.toml", {})
        secrets = fetch(configuration)
        log = configure(configuration.log.level, configuration.log.format, configuration.log.file)
        events = Events()
        events.listen(log_event)
        events.listen(lambda event: self.told.append(repr(event)))
        try:
            built = build(configuration, secrets, events)
            try:
                yield built, secrets
            finally:
                built.ground.writer.stop()
                built.live.close()
                built.ground.database.close()
        finally:
            log.close()

    def call(self, worker: Worker, path: str = "/orders") -> None:
        """Calls the API once; an error is told in every way in which the worker tells errors."""
        run = RunRef("orders", 1, 1, lambda: None, lambda: 5.0)
        try:
            reply = worker.live.current.accounts["erp"].api.bind(run).request("GET", path, params={"since": "today"})
            self.told.append(repr(reply))
        except WorkerError as error:
            self.tell(error, worker.ground.events)

    def tell(self, error: Exception, events: Events) -> None:
        """Tells an error as a run's, as a part's, on the command line, as a fault, and as Python would."""
        self.errors.append(error)
        kind, message = describe(error)
        events.emit(WorkerFailed(kind, message))
        self.told += [kind, message, summary(error)]
        tell(error)
        for one in chain(error):
            self.told += ["".join(traceback.format_exception(one)), repr(one), repr(one.args), repr(vars(one))]

    def leaks(self, printed: str) -> list[Find]:
        """Returns the secrets in whatever was said, printed, logged and stored."""
        said = OWN.search_text("\n".join(self.told), "what was said")
        return said + OWN.search_text(printed, "what was printed") + OWN.search_folder(self.folder)

    def log(self) -> str:
        """Returns the log."""
        return (self.folder / "worker.log").read_text()


def chain(error: BaseException) -> Iterator[BaseException]:
    """Yields an error, its causes and its contexts."""
    waiting, met = [error], set[int]()
    while waiting:
        one = waiting.pop()
        if id(one) not in met:
            met.add(id(one))
            yield one
            waiting += [cause for cause in (one.__cause__, one.__context__) if cause is not None]


def echoing(status: str, *headers: str, shape: str = "json") -> Play:
    """Returns an answer that quotes the request: its credentials and its body, as careless servers do."""

    def play(connection: socket.socket, request: Request) -> bool:
        told = [f"{name}: {value}" for name, value in request.headers.items()]
        quoted = f"refused {request.body.decode()} {request.target} {'; '.join(told)}"
        body = {
            "json": orjson.dumps({"error": "invalid_grant", "error_description": quoted, "message": quoted}),
            "text": quoted.encode(),
            "html": f"<html><body><pre>{quoted}</pre></body></html>".encode(),
        }[shape]
        connection.sendall(answer(body, status, *headers))
        return True

    return play


@dataclass(frozen=True)
class Ends:
    """The far ends of one scene: what the API answers, and what the token endpoint answers."""

    api: bytes | Play = NOTHING
    tokens: bytes | Play = TOKEN


@pytest.fixture
def act(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[Scene, list[Find]]]:
    """Plays a scene of two calls and returns it with what leaked."""

    def play(ends: Ends, change: Callable[[Worker], None] = lambda _: None, **given: str) -> tuple[Scene, list[Find]]:
        with FarEnd(ends.api) as api, FarEnd(ends.tokens) as tokens:
            scene = Scene(tmp_path, **{"api": api.url, "tokens": tokens.url, **given})  # type: ignore[arg-type]
            with scene.worker() as (worker, _):
                change(worker)
                scene.call(worker)
                scene.call(worker)
        printed = capsys.readouterr()
        return scene, scene.leaks(printed.out + printed.err)

    return play
