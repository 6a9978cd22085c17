"""What is particular to PostgreSQL: the driver, the settings of a session, what is refused."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache

import orjson
import sqlalchemy as sa

from worker.model.errors import StoreError

CONNECT_TIMEOUT_S = 10
TCP_USER_TIMEOUT_MS = 15_000  # unanswered data: keepalives alone leave a query hanging behind a silent partition
POOL_SIZE = 10
POOL_OVERFLOW = 30
_NAME = "integration-worker"
_OTHER_WAYS = ("enable_seqscan", "enable_hashjoin", "enable_mergejoin")  # than by index

_END = sa.text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE usename = session_user AND application_name = ANY(:names) AND pid <> pg_backend_pid()"
)

_CONNECT_ARGS = {
    "connect_timeout": CONNECT_TIMEOUT_S,
    "tcp_user_timeout": TCP_USER_TIMEOUT_MS,
    "application_name": _NAME,
    "options": "-c TimeZone=UTC",
}


@dataclass(frozen=True)
class Holder:
    """The node that a transaction's locks belong to, and for how long it may keep silent in the middle of one."""

    node_id: int
    lease_s: float


def make_engine(url: sa.URL) -> sa.Engine:
    """Returns an engine on psycopg 3; raises StoreError where psycopg is not installed."""
    try:
        engine = sa.create_engine(
            url.set(drivername="postgresql+psycopg"),
            hide_parameters=True,
            json_serializer=orjson.dumps,
            json_deserializer=orjson.loads,
            isolation_level="READ COMMITTED",
            pool_pre_ping=True,
            pool_size=POOL_SIZE,
            max_overflow=POOL_OVERFLOW,
            connect_args=_CONNECT_ARGS,
        )
    except ModuleNotFoundError as error:
        raise StoreError(
            "PostgreSQL needs the driver psycopg, which is not installed: pip install 'integration-worker[postgres]'."
        ) from error
    sa.event.listen(engine, "handle_error", _forget_plans)
    return engine


def _forget_plans(context: sa.ExceptionContext) -> None:
    """Gives a connection up whose prepared statements know a table as it was before a column's type changed."""
    if "cached plan must not change result type" in str(context.original_exception):
        context.is_disconnect = True
        context.invalidate_pool_on_disconnect = False


def location_of(url: sa.URL) -> str:
    """Returns where the database is, without user, password or options."""
    host = url.host or url.query.get("host") or "localhost"
    place = ",".join(host) if isinstance(host, tuple) else host
    return f"postgresql://{place}{f':{url.port}' if url.port else ''}/{url.database or ''}"


def set_up(connection: sa.Connection, holder: Holder | None, *, by_index: bool) -> None:
    """Settles how this transaction goes, in one round trip.

    The server ends it, and frees its locks, once its `holder` has said nothing for a lease: a process that was stopped
    in the middle of one would hold up every other for as long as it stands still. It bears the holder's name, too, for
    `end_transactions`: of who stopped in the middle of a statement the server waits for the rest. `by_index` has its
    statements look rows up by index, which all of the ledger's can: PostgreSQL keeps a statement's plan, and one made
    while the tables are small reads them whole, and goes on so as they grow, until they are analyzed.
    """
    if holder is not None or by_index:
        connection.exec_driver_sql(_settings(holder, by_index=by_index)).close()


@cache
def _settings(holder: Holder | None, *, by_index: bool) -> str:
    settings = dict.fromkeys(_OTHER_WAYS, "off") if by_index else {}
    if holder is not None:
        settings["idle_in_transaction_session_timeout"] = f"{holder.lease_s * 1000:.0f}"
        settings["application_name"] = _name(holder.node_id)
    return "SELECT " + ", ".join(f"set_config('{name}', '{value}', true)" for name, value in settings.items())


def end_transactions(connection: sa.Connection, node_ids: Collection[int]) -> int:
    """Asks the sessions to end in which these nodes write now, to any database of this server; returns how many.

    They are those of the role that logged in, whose right to end them another one that was set might lack.
    """
    connection.execute(sa.select(sa.func.set_config("role", "none", True)))
    return sum(connection.scalars(_END, {"names": [_name(node_id) for node_id in node_ids]}))


def _name(node_id: int) -> str:
    return f"{_NAME} {node_id}"


def check_durable(connection: sa.Connection) -> None:
    """Raises StoreError where the session acknowledges commits before they are on disk."""
    if connection.scalar(sa.text("SHOW synchronous_commit")) == "off":
        raise StoreError(
            "PostgreSQL runs this session with synchronous_commit = off, so a crash loses acknowledged "
            "commits; set it to on for the server, the database and the role."
        )
