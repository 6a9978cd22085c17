"""Start and stop, options, load from many threads, and the sandbox as a process of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.sandbox.belongings import belongings
from tests.sandbox.calling import Caller, Make
from worker.sandbox.__main__ import options_from
from worker.sandbox.options import Credentials, SandboxOptions
from worker.sandbox.server import Sandbox

ROOT = Path(__file__).parents[2]


def test_a_stop_leaves_nothing_behind() -> None:
    """No thread and no open file of its own stays, the port is free, and a second stop does no harm."""
    before = belongings()
    sandbox = Sandbox(SandboxOptions(rows=5, churn=100.0))
    sandbox.start()
    url = sandbox.url
    assert requests.get(f"{url}/_sandbox", timeout=10).status_code == 200
    sandbox.stop()
    sandbox.stop()
    assert belongings() <= before
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=10)


def test_a_stopped_sandbox_still_answers_questions(caller: Caller) -> None:
    """The log and the rows outlive the server."""
    caller.tangoe("/ping")
    caller.sandbox.stop()
    assert [record.path for record in caller.sandbox.calls()] == ["/as/token.oauth2", "/mobproc/v1/ping"]
    assert len(caller.sandbox.rows("devices")) == 60


def test_a_sandbox_that_never_started_has_no_url() -> None:
    """A sentence instead of a URL with port 0; a stop before the start does nothing."""
    sandbox = Sandbox()
    with pytest.raises(RuntimeError, match="before it is started"):
        _ = sandbox.url
    sandbox.stop()


def test_a_taken_port_is_an_error_at_the_start() -> None:
    """OSError reaches the caller, and no thread stays."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        before = belongings()
        with pytest.raises(OSError, match="address already in use"):
            Sandbox(SandboxOptions(port=taken.getsockname()[1])).start()
        assert belongings() <= before


def test_a_question_with_an_error_brings_it_to_the_caller(caller: Caller) -> None:
    """What goes wrong in the sandbox's thread is raised where it was asked."""
    with pytest.raises(KeyError, match="no resource 'nothing'"):
        caller.sandbox.rows("nothing")
    with pytest.raises(KeyError, match="api must be"):
        caller.sandbox.set_password("nothing", "x")


def test_churn_goes_on_by_itself(make: Make) -> None:
    """With churn, rows change while it runs: a walk of the changed ones finds some."""
    caller = make(SandboxOptions(rows=20, churn=400.0))
    headers = caller.tangoe_headers()
    count = 0
    while not count:
        answer = caller.tangoe("/orders", headers, dateTimeUpdated="2026-01-01T00:00:00Z")
        count = answer.json()["_meta"]["totalCount"]
    assert any(row["revision"] for row in caller.sandbox.rows("orders"))


def test_24_threads_are_served(caller: Caller) -> None:
    """Every answer is whole and right under load, while rows are asked for and changed from outside."""
    headers = caller.tangoe_headers()

    def walk(number: int) -> list[int]:
        with requests.Session() as session:
            found = []
            for offset in range(0, 60, 20):
                url = f"{caller.sandbox.tangoe_url}/assets/devices?limit=20&offset={offset}"
                answer = session.get(url, headers=headers, timeout=30)
                found.append(len(answer.json()["devices"]))
                if number % 8 == 0:
                    caller.sandbox.churn(1, "orders")
            return found

    with ThreadPoolExecutor(24) as pool:
        assert list(pool.map(walk, range(48))) == [[20, 20, 20]] * 48
    assert len(caller.sandbox.calls("/mobproc")) == 144


def test_pages_follow_changes(caller: Caller) -> None:
    """A page asked for again after a change shows the change: nothing stale is kept."""
    headers = caller.tangoe_headers()
    before = caller.tangoe("/assets/devices", headers, limit=1000).json()["devices"]
    now = caller.now("/table/incident").json()["result"]
    caller.sandbox.churn(20)
    assert caller.tangoe("/assets/devices", headers, limit=1000).json()["devices"] != before
    assert caller.now("/table/incident").json()["result"] != now


@pytest.mark.parametrize(
    "wrong",
    [{"rows": -1}, {"churn": -0.1}, {"tangoe_rejects_with": 500}, {"tangoe_grants": frozenset({"implicit"})}],
)
def test_wrong_options_are_refused(wrong: dict[str, int]) -> None:
    """ValueError naming the option."""
    with pytest.raises(ValueError, match="sandbox: "):
        SandboxOptions(**wrong)  # type: ignore[arg-type]  # that is the point


def test_secrets_are_not_shown() -> None:
    """No repr shows a secret."""
    who = Credentials(tangoe_password="canary-1", servicenow_client_secret="canary-2")
    sandbox = Sandbox(SandboxOptions(credentials=who))
    assert "canary" not in repr(sandbox.options) + repr(sandbox._state)


def test_the_command_line_becomes_options(capsys: pytest.CaptureFixture[str]) -> None:
    """Each flag has its option; a wrong value is a usage error."""
    line = "--rows 7 --churn 1.5 --token-lifetime 10 --refresh-lifetime 60 --seed 3 --port 0 --no-rotate"
    options = options_from([*line.split(), "--revoke-on-replay", "--tangoe-rejects-with", "401"])
    assert options == SandboxOptions(
        rows=7,
        churn=1.5,
        token_lifetime_s=10.0,
        refresh_lifetime_s=60.0,
        seed=3,
        rotate=False,
        revoke_on_replay=True,
        tangoe_rejects_with=401,
    )
    with pytest.raises(SystemExit) as left:
        options_from(["--rows", "-1"])
    assert left.value.code == 2
    assert "rows must be 0 or more" in capsys.readouterr().err


@pytest.mark.process
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_as_a_process_it_announces_itself_and_stops_on_a_signal(number: int) -> None:
    """One JSON line when ready; exit status 0 after TERM or INT."""
    command = [sys.executable, "-W", "error", "-m", "worker.sandbox", "--rows", "3"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=os.environ) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        assert ready["pid"] == process.pid
        counts = requests.get(f"{ready['url']}/_sandbox/counts", timeout=10).json()
        assert counts["devices"] == 3
        process.send_signal(number)
        assert process.wait(timeout=10) == 0
