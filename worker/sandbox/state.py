"""What the handlers of one sandbox share, and how they reach it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from aiohttp import web

from worker.sandbox.answers import PageCache
from worker.sandbox.calllog import CallLog, CallRecord
from worker.sandbox.faults import FaultBook
from worker.sandbox.hooks import Hooks
from worker.sandbox.importset import ImportSets
from worker.sandbox.jwts import Assertions
from worker.sandbox.oauth import Authority
from worker.sandbox.options import SandboxOptions
from worker.sandbox.servers import idp_server, servicenow_server, tangoe_server
from worker.sandbox.table import Row
from worker.sandbox.tokens import Issued
from worker.sandbox.traps import Gate, Traps
from worker.sandbox.world import World


@dataclass(slots=True)
class Doors:
    """The secrets of the APIs that ask for no token; they can change while the sandbox runs."""

    basic_password: str = field(repr=False)
    api_key: str = field(repr=False)


@dataclass(slots=True)
class Feed:
    """Which sync tokens are still good."""

    epoch: int = 0  # tokens of an earlier one have run out


@dataclass(frozen=True, slots=True)
class Given:
    """The answer that an idempotency key got, and what was asked with it."""

    asked: tuple[str, str, bytes]  # method, path, body
    status: int
    body: bytes


@dataclass(slots=True)
class Families:
    """Children by parent, as of one version of their table."""

    version: int = -1
    by_parent: dict[str, list[Row]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class State:
    """One sandbox's data, token servers, faults and call log; touched on its event loop only."""

    options: SandboxOptions
    world: World
    tangoe: Authority
    servicenow: Authority
    idp: Authority
    doors: Doors
    assertions: Assertions
    imports: ImportSets
    traps: Traps
    gate: Gate = field(default_factory=Gate)
    given: dict[str, Given] = field(default_factory=dict)  # by idempotency key
    feed: Feed = field(default_factory=Feed)
    families: Families = field(default_factory=Families)
    hooks: Hooks = field(default_factory=Hooks)
    faults: FaultBook = field(default_factory=FaultBook)
    log: CallLog = field(default_factory=CallLog)
    pages: PageCache = field(default_factory=PageCache)
    queries: dict[tuple[str, str], tuple[tuple[int, int], Sequence[str]]] = field(
        default_factory=dict
    )  # of one version

    def authorities(self) -> dict[str, Authority]:
        """Returns the token servers by the name of their API."""
        return {"tangoe": self.tangoe, "servicenow": self.servicenow, "idp": self.idp}


STATE = web.AppKey("state", State)
RECORD = web.RequestKey("record", CallRecord)
FORM = web.RequestKey("form", dict[str, str])  # of a request to an authorization server
HANDED = web.RequestKey("handed", Issued)  # whose refresh token the answer brings


def state_of(request: web.Request) -> State:
    """Returns the state of the sandbox that got the request."""
    return request.app[STATE]


def record_of(request: web.Request) -> CallRecord:
    """Returns the call log's record of the request."""
    return request[RECORD]


def identified(request: web.Request, authority: Authority) -> Issued | None:
    """Notes in the call log whose bearer token came along and what is handed over; returns its issue if it is good."""
    header = request.headers.get("Authorization", "")
    record = record_of(request)
    token = header.partition(" ")[2].strip()
    known = authority.tokens.find(token)
    good = authority.bearer(header)
    if known is not None:
        record.token_used = known.serial
        record.client_id = known.subject.client_id
        record.account = known.subject.username
    if good is None:
        record.error = "access token is unknown" if known is None else "access token is expired or revoked"
    elif authority.handoffs is not None and (new := authority.handoffs.renewed(token)) is not None:
        request[HANDED] = new
        record.token_issued = new.serial
    return good


def new_state(options: SandboxOptions) -> State:
    """Returns the state of a sandbox at its start; raises ValueError for a client key that is none."""
    assertions = Assertions()
    for client_id, key in options.client_keys.items():
        assertions.register(client_id, key)
    world, traps = World(options.seed, options.rows), Traps()
    return State(
        options,
        world,
        tangoe_server(options, assertions),
        servicenow_server(options, assertions),
        idp_server(options, assertions),
        Doors(options.credentials.basic_password, options.credentials.api_key),
        assertions,
        ImportSets(world, traps),
        traps,
    )
