"""What the handlers of one sandbox share, and how they reach it."""

from dataclasses import dataclass, field

from aiohttp import web

from worker.sandbox.answers import PageCache
from worker.sandbox.calllog import CallLog, CallRecord
from worker.sandbox.faults import FaultBook
from worker.sandbox.importset import ImportSets
from worker.sandbox.oauth import Authority, Client
from worker.sandbox.options import SandboxOptions
from worker.sandbox.tokens import Issued, Manners, Tokens
from worker.sandbox.world import World


@dataclass(frozen=True, slots=True)
class State:
    """One sandbox's data, token servers, faults and call log; touched on its event loop only."""

    options: SandboxOptions
    world: World
    tangoe: Authority
    servicenow: Authority
    imports: ImportSets
    faults: FaultBook = field(default_factory=FaultBook)
    log: CallLog = field(default_factory=CallLog)
    pages: PageCache = field(default_factory=PageCache)
    queries: dict[tuple[str, str], tuple[int, list[str]]] = field(default_factory=dict)  # of one table version

    def authorities(self) -> dict[str, Authority]:
        """Returns the token servers by the name of their API."""
        return {"tangoe": self.tangoe, "servicenow": self.servicenow}


STATE = web.AppKey("state", State)
RECORD = web.RequestKey("record", CallRecord)
FORM = web.RequestKey("form", dict[str, str])  # of a token request


def state_of(request: web.Request) -> State:
    """Returns the state of the sandbox that got the request."""
    return request.app[STATE]


def record_of(request: web.Request) -> CallRecord:
    """Returns the call log's record of the request."""
    return request[RECORD]


def identified(request: web.Request, authority: Authority) -> Issued | None:
    """Notes in the call log whose bearer token came along, and returns its issue if it is good."""
    header = request.headers.get("Authorization", "")
    record = record_of(request)
    known = authority.tokens.find(header.partition(" ")[2].strip())
    good = authority.bearer(header)
    if known is not None:
        record.token_used = known.serial
        record.client_id = known.subject.client_id
        record.account = known.subject.username
    if good is None:
        record.error = "access token is unknown" if known is None else "access token is expired or revoked"
    return good


def new_state(options: SandboxOptions) -> State:
    """Returns the state of a sandbox at its start."""
    who = options.credentials
    world = World(options.seed, options.rows)
    tangoe = Client(
        who.tangoe_client_id,
        who.tangoe_client_secret,
        who.tangoe_username,
        who.tangoe_password,
        "MOBPROC",
        options.tangoe_grants,
        who.tangoe_tenant,
    )
    servicenow = Client(
        who.servicenow_client_id,
        who.servicenow_client_secret,
        who.servicenow_username,
        who.servicenow_password,
        "useraccount",
        options.servicenow_grants,
    )
    lives = (options.token_lifetime_s, options.refresh_lifetime_s)
    rolling = Manners(*lives, options.rotate, False, options.retire_access, options.revoke_on_replay)
    steady = Manners(*lives, False, True)
    return State(
        options,
        world,
        Authority(tangoe, Tokens(rolling)),
        Authority(servicenow, Tokens(steady)),
        ImportSets(world),
    )
