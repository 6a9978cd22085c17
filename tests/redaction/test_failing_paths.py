"""No secret gets out on any failing path of a call (research 5.3), and the same tests see one where nothing masks."""

import http.client
import logging
import socket
import sqlite3
import ssl
import warnings
from collections.abc import Callable

import orjson
import pytest
import sqlalchemy as sa

from tests.canary import Find, written
from tests.redaction.scene import (
    ACCESS,
    API_KEY,
    BASIC,
    CLIENT_SECRET,
    OWN,
    PASSWORD,
    REFRESH,
    Ends,
    Scene,
    chain,
    echoing,
)
from tests.wire.farend import FarEnd, answer, redirect
from worker.model.errors import StoreUnreachable
from worker.model.events import WorkerFailed
from worker.model.records import Health
from worker.runs.outcome import describe
from worker.store import tokens
from worker.store.database import open_database
from worker.vault import redact, shapes
from worker.watch.crashes import summary
from worker.wiring.build import Worker

Act = Callable[..., tuple[Scene, list[Find]]]

_LONG_LINE = orjson.dumps({"access_token": f"{ACCESS}\nX-Other: 1", "refresh_token": REFRESH, "expires_in": 60})
_TRUNCATED = orjson.dumps({"refresh_token": REFRESH, "access_token": ACCESS})[:-8]
_OTHER = "http://127.0.0.2:9/elsewhere"

PATHS: dict[str, tuple[Ends, dict[str, str]]] = {
    "all is well": (Ends(), {}),
    "a token with a newline": (Ends(tokens=answer(_LONG_LINE)), {}),
    "a truncated token answer": (Ends(tokens=answer(_TRUNCATED)), {}),
    "a token answer that is no object": (Ends(tokens=answer(orjson.dumps([ACCESS, REFRESH]))), {}),
    "a token of a type that is not known": (
        Ends(tokens=answer(orjson.dumps({"access_token": ACCESS, "token_type": ACCESS, "scope": ACCESS}))),
        {},
    ),
    "a token endpoint that redirects": (Ends(tokens=redirect(f"{_OTHER}?access_token={ACCESS}")), {}),
    "an API that redirects": (Ends(api=redirect(f"{_OTHER}?access_token={ACCESS}")), {}),
    "parameters in the query": (Ends(tokens=echoing("500 Broken", shape="html")), {"more": 'token_params = "query"'}),
    "a proxy that refuses": (Ends(), {"proxy": "http://127.0.0.1:9", "api": "https://api.invalid"}),
    "a proxy that refuses token requests": (
        Ends(),
        {"proxy": "http://127.0.0.1:9", "tokens": "https://tokens.invalid"},
    ),
    "a token endpoint that is not there": (Ends(), {"tokens": "http://127.0.0.1:9"}),
    "an API that is not there": (Ends(), {"api": "http://127.0.0.1:9"}),
    "an API whose name is not known": (Ends(), {"api": "https://no-such-host.invalid"}),
    "a token endpoint whose name is not known": (Ends(), {"tokens": "https://no-such-host.invalid"}),
    **{
        f"an API that answers {status} and quotes, as {shape}": (Ends(api=echoing(status, shape=shape)), {})
        for status in ("401 No", "403 No", "429 Slow", "500 Broken")
        for shape in ("json", "text")
    },
    **{
        f"a token endpoint that answers {status} and quotes, as {shape}": (
            Ends(tokens=echoing(status, shape=shape)),
            {},
        )
        for status in ("400 No", "401 No", "403 No", "429 Slow", "500 Broken")
        for shape in ("json", "html")
    },
    **{
        f"an API that quotes {what} and answers {status}": (Ends(api=echoing(status)), {"credential": credential})
        for status in ("401 No", "500 Broken")
        for what, credential in (
            ("a password", BASIC),
            ("a key", API_KEY),
            ("a key in the query", f'{API_KEY}\napi_key_param = "key"'),
        )
    },
    "an API that is not there, with a key in the query": (
        Ends(),
        {"api": "http://127.0.0.1:9", "credential": f'{API_KEY}\napi_key_param = "key"'},
    ),
    "an API that quotes, told as logfmt": (Ends(api=echoing("500 Broken")), {"format": "logfmt"}),
    "an API that quotes, told on a console": (Ends(api=echoing("500 Broken")), {"format": "console"}),
}
SILENT = ("html", "text", "and answers 401 No")  # ends of names: what is quoted there is never told
QUOTING = [name for name in PATHS if "quotes" in name and not name.endswith(SILENT)]


@pytest.mark.parametrize("name", PATHS)
def test_a_failing_path_tells_no_secret(name: str, act: Act) -> None:
    """Whatever the far ends do: nothing in errors, their chains, log, events, database, terminal and files."""
    ends, given = PATHS[name]

    scene, leaks = act(ends, **given)

    assert leaks == []
    assert bool(scene.errors) == (name != "all is well")
    assert '"level":"debug"' in scene.log() or scene.told


def _unmask(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes the redactor away, everywhere: nothing is masked, neither by value nor by shape nor by name."""
    monkeypatch.setattr(redact, "_masked", lambda text, _spans: text)
    monkeypatch.setattr(shapes, "sensitive", lambda _name: False)
    monkeypatch.setattr(redact, "_walked", lambda value, _above: value)


@pytest.mark.parametrize("name", QUOTING)
def test_the_search_finds_what_nothing_masks(name: str, act: Act, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the redactor the tests above would fail: they can see a leak."""
    _unmask(monkeypatch)
    ends, given = PATHS[name]

    _, leaks = act(ends, **given)

    assert {leak.place.rpartition("/")[2] for leak in leaks} >= {"what was said", "what was printed", "worker.log"}


def test_a_foreign_certificate_tells_no_secret(act: Act, server_tls: ssl.SSLContext) -> None:
    """A TLS error, of the API and of the token endpoint."""
    with FarEnd(answer(), tls=server_tls) as far:
        assert act(Ends(), api=far.url)[1] == []


def test_a_token_endpoint_of_a_foreign_certificate_tells_no_secret(act: Act, server_tls: ssl.SSLContext) -> None:
    """The request with the password was not sent."""
    with FarEnd(answer(), tls=server_tls) as far:
        scene, leaks = act(Ends(), tokens=far.url)
        assert (leaks, far.requests, bool(scene.errors)) == ([], [], True)


def test_a_database_that_is_away_while_a_token_is_saved(act: Act) -> None:
    """The token is served from memory and rescued sealed; the driver's words are not trusted either."""

    def lose(worker: Worker) -> None:
        def refuse(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
            if away and statement.startswith("UPDATE tokens SET generation"):
                error = sqlite3.OperationalError(f"database is locked, {ACCESS}")
                error.sqlite_errorcode = sqlite3.SQLITE_BUSY
                raise error

        away = [True]
        sa.event.listen(worker.ground.database.engine, "before_cursor_execute", refuse)
        keeper = worker.live.current.accounts["erp"].keeper
        keeper._leases._patience_s = 1.0  # the error comes first
        keeper.token()
        away.clear()

    scene, leaks = act(Ends(), change=lose)

    assert leaks == []
    assert "could not be stored yet" in scene.log()
    assert "database is locked" in scene.log()


def test_a_token_that_does_not_open(act: Act) -> None:
    """A token that does not open: the account says so, and nothing of the token."""

    def break_row(worker: Worker) -> None:
        worker.live.current.accounts["erp"].keeper.token()
        worker.live.current.accounts["erp"].keeper._snapshot = None
        with worker.ground.database.write() as connection:
            connection.execute(sa.text("UPDATE tokens SET generation = 7"))

    scene, leaks = act(Ends(), change=break_row)

    assert leaks == []
    assert {type(error).__name__ for error in scene.errors} == {"TokenUndecryptable"}


def test_what_libraries_log_at_debug_is_masked(act: Act) -> None:
    """urllib3, requests, apscheduler and SQLAlchemy, with their levels forced down, and any other."""

    def speak(worker: Worker) -> None:
        for name in (
            "urllib3.connectionpool",
            "requests",
            "apscheduler.scheduler",
            "sqlalchemy.engine.Engine",
            "other",
        ):
            logger = logging.getLogger(name)
            logger.setLevel(logging.DEBUG)
            for form in written(PASSWORD).values():
                logger.debug("sent %s", form)
                logger.warning("Retrying after connection broken: %s", {"Authorization": f"Bearer {form}"})
            try:
                _fail_with(CLIENT_SECRET)
            except ValueError:
                logger.exception("it failed with %r", [CLIENT_SECRET])
            logger.setLevel(logging.NOTSET)
        worker.live.current.accounts["erp"].keeper.token()

    scene, leaks = act(Ends(), change=speak)

    assert [leak for leak in leaks if leak.role != "unknown"] == []
    assert "it failed with" in scene.log()
    assert "sqlalchemy" in scene.log()


def _fail_with(secret: str) -> None:
    copied = secret  # a local variable that a traceback must not show
    raise ValueError(f"the header {copied!r} is not right")


def test_the_debug_level_of_http_client_prints_nothing(act: Act, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody's plug-in that sets it would have every header printed."""
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)

    scene, leaks = act(Ends())

    assert (leaks, scene.errors) == ([], [])


def test_warnings_are_masked(act: Act) -> None:
    """They go to the log, through the same redactor."""

    def warn(_worker: Worker) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn(f"deprecated: {PASSWORD} in {CLIENT_SECRET}", UserWarning, stacklevel=1)

    scene, leaks = act(Ends(), change=warn)

    assert leaks == []
    assert "deprecated: ***" in scene.log()


def test_an_error_of_a_job_is_masked(act: Act) -> None:
    """A job's own exception may hold what an API quoted."""

    def fail(worker: Worker) -> None:
        for secret in (PASSWORD, CLIENT_SECRET):
            try:
                _fail_with(secret)
            except ValueError as error:
                worker.ground.events.emit(WorkerFailed(*describe(error)))
                worker.ground.events.emit(WorkerFailed("daemon", summary(error)))

    scene, leaks = act(Ends(), change=fail)

    assert leaks == []
    assert scene.log().count("the header '***' is not right") == 4


def test_a_password_that_is_refused(act: Act) -> None:
    """The account is blocked, with a reason that quotes neither password nor secret."""

    def look(worker: Worker) -> None:
        with worker.ground.database.read() as connection:
            assert tokens.load(connection, "erp").health is Health.UNKNOWN

    scene, leaks = act(Ends(tokens=echoing("400 No")), change=look)

    assert leaks == []
    assert {type(error).__name__ for error in scene.errors} == {"AccountBlocked"}


def test_a_database_that_cannot_be_reached(act: Act) -> None:
    """Neither the error nor its causes show the password, which the driver knew."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    met: list[BaseException] = []

    def ask(worker: Worker) -> None:
        with pytest.raises(StoreUnreachable) as caught:
            open_database(f"postgresql://worker@127.0.0.1:{port}/worker", PASSWORD)
        met.append(caught.value)
        worker.ground.events.emit(WorkerFailed("database", summary(caught.value)))

    scene, leaks = act(Ends(), change=ask)

    assert leaks == []
    assert "cannot be reached" in scene.log()
    shown = [f"{one!r}{one}{vars(one)!r}" for one in chain(met[0])]
    assert OWN.search_text("".join(shown), "shown") == []
