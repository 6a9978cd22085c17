"""The device login: codes shown, polls as the server wants them, and every end it can take."""

import pytest

from tests.auth.keeping import Desk
from tests.auth.persons import Bench, login_options
from worker.auth.invitation import Invitation
from worker.auth.login import log_in
from worker.model.errors import LoginFailed
from worker.model.records import Health, Purpose
from worker.sandbox.faults import Fault
from worker.sandbox.options import IdpOptions, SandboxOptions
from worker.sandbox.server import Sandbox

TOKEN = "/idp/token"


@pytest.fixture
def bench(desk: Desk) -> Bench:
    """An account that logs in by device code."""
    return Bench(desk, login_options(desk.url, "device_code"))


def _nobody(_invitation: Invitation) -> None:
    pass


def test_a_person_agrees_elsewhere(bench: Bench, sandbox: Sandbox) -> None:
    """The codes are shown, and the token is kept once it was typed."""
    shown: list[Invitation] = []

    def agree(invitation: Invitation) -> None:
        shown.append(invitation)
        sandbox.decide_device(invitation.code)

    bench.keeper().adopt(log_in(bench.login(invite=agree)))

    (invitation,) = shown
    assert invitation.url.startswith(sandbox.url)
    assert len(invitation.code) == 9
    assert bench.waited == [5.0]
    row = bench.desk.row()
    assert (row.generation, row.health) == (1, Health.FRESH)
    posts = [call.purpose for call in bench.desk.trail() if call.method == "POST"]
    assert posts == [Purpose.LOGIN, Purpose.LOGIN]


def test_polls_go_on_and_slow_down_as_told(bench: Bench, sandbox: Sandbox) -> None:
    """Pending keeps the interval, slow_down adds five seconds for good, trouble on the way doubles it."""
    sandbox.fault(Fault("authorization_pending"))
    sandbox.fault(Fault("slow_down"))
    sandbox.fault(Fault("status", path=TOKEN, status=502))

    log_in(bench.login(invite=lambda invitation: sandbox.decide_device(invitation.code)))

    assert bench.waited == [5.0, 5.0, 10.0, 20.0]


def test_a_lost_answer_of_a_poll_is_told_by_the_next_one(bench: Bench, sandbox: Sandbox) -> None:
    """The code was used up by the answer that got lost; nothing is stored, and the person is told."""
    sandbox.fault(Fault("lost_answer", path=TOKEN))

    with pytest.raises(LoginFailed, match="begin again"):
        log_in(bench.login(invite=lambda invitation: sandbox.decide_device(invitation.code)))

    assert len(sandbox.token_requests(TOKEN)) == 2


def test_a_denial_ends_it(bench: Bench, sandbox: Sandbox) -> None:
    """No further poll."""
    with pytest.raises(LoginFailed, match="denied"):
        log_in(bench.login(invite=lambda invitation: sandbox.decide_device(invitation.code, approve=False)))


def test_a_code_that_lapsed_ends_it(bench: Bench, sandbox: Sandbox) -> None:
    """When the server says so."""
    sandbox.fault(Fault("expired_token"))

    with pytest.raises(LoginFailed, match="lapsed"):
        log_in(bench.login(invite=_nobody))


def test_nobody_types_the_code(desk: Desk) -> None:
    """Or when its time is over, whatever the server says."""
    with Sandbox(SandboxOptions(rows=1, idp=IdpOptions(device_lifetime_s=12.0))) as sandbox:
        bench = Bench(Desk(desk.database, desk.writer, sandbox.url), login_options(sandbox.url, "device_code"))
        sandbox.fault(Fault("authorization_pending", times=None))

        with pytest.raises(LoginFailed, match="nobody typed"):
            log_in(bench.login(invite=_nobody))
        bench.desk.close()

    assert sum(bench.waited) >= 12.0


def test_an_interval_beyond_the_codes_life_is_that_life(bench: Bench, sandbox: Sandbox) -> None:
    """No machine can wait longer than its clock counts; a person has long given up by then."""
    sandbox.fault(Fault("fields", path="/idp/device", value={"interval": 1e300, "expires_in": 60}))

    log_in(bench.login(invite=lambda invitation: sandbox.decide_device(invitation.code)))

    assert bench.waited == [60.0]


@pytest.mark.parametrize(
    "fault", [Fault("html", path="/idp/device"), Fault("fields", path="/idp/device", value={"user_code": None})]
)
def test_an_answer_without_codes_is_told(bench: Bench, sandbox: Sandbox, fault: Fault) -> None:
    """With what was missing."""
    sandbox.fault(fault)

    with pytest.raises(LoginFailed, match="/idp/device"):
        log_in(bench.login())
