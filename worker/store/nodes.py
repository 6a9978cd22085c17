"""Table `nodes`: worker processes, and the heartbeats that tell the living from the dead."""

from collections.abc import Collection
from datetime import datetime, timedelta

import sqlalchemy as sa

from worker.model.records import LONGEST_LEASE_S, Node
from worker.store.dialect import insert_new
from worker.store.tables import nodes

_ONE = sa.update(nodes).where(nodes.c.id == sa.bindparam("node"))
_BEAT = _ONE.values(heartbeat_at=sa.bindparam("at"), lines_dropped=sa.bindparam("dropped"))
_PRESENT = sa.select(nodes.c.id, nodes.c.heartbeat_at, nodes.c.lease_s).where(nodes.c.stopped_at.is_(None))
_LIVING = (
    sa.select(nodes)
    .where(nodes.c.stopped_at.is_(None), nodes.c.heartbeat_at >= sa.bindparam("since"))
    .order_by(nodes.c.id)
)


def register(connection: sa.Connection, node: Node) -> None:
    """Adds this process."""
    values = {column.name: getattr(node, column.name) for column in nodes.columns}
    insert_new(connection, nodes, [values])


def beat(connection: sa.Connection, node_id: int, lease_now: datetime, lines_dropped: int = 0) -> None:
    """Says that the node lives, and how many lines its log could not take; `lease_now` is by the lease clock."""
    connection.execute(_BEAT, {"node": node_id, "at": lease_now, "dropped": lines_dropped})


def configured(connection: sa.Connection, node_id: int, configuration_hash: str, now: datetime) -> None:
    """Says by which configuration the node works from now on."""
    values = {"configuration_hash": configuration_hash, "configured_at": now, "reload_error": None}
    connection.execute(sa.update(nodes).where(nodes.c.id == node_id).values(values))


def refused(connection: sa.Connection, node_id: int, why: str) -> None:
    """Says why the node goes on with its configuration although another one lies there."""
    connection.execute(sa.update(nodes).where(nodes.c.id == node_id).values(reload_error=why))


def stop(connection: sa.Connection, node_id: int, now: datetime) -> None:
    """Says that the node left."""
    connection.execute(sa.update(nodes).where(nodes.c.id == node_id).values(stopped_at=now))


def stop_others(connection: sa.Connection, node_id: int, now: datetime) -> None:
    """Says that all other nodes left: this one knows that none of them can be alive."""
    present = nodes.c.stopped_at.is_(None), nodes.c.id != node_id
    connection.execute(sa.update(nodes).where(*present).values(stopped_at=now))


def living(connection: sa.Connection, lease_now: datetime) -> list[Node]:
    """Returns the nodes that have not left and whose heart beat within their lease (lease clock)."""
    since = lease_now - timedelta(seconds=LONGEST_LEASE_S)
    found = (Node(**row) for row in connection.execute(_LIVING, {"since": since}).mappings())
    return [node for node in found if node.heartbeat_at + timedelta(seconds=node.lease_s) >= lease_now]


def dead(connection: sa.Connection, lease_now: datetime) -> list[int]:
    """Returns the ids of nodes that did not leave, and whose heart has not beaten for a lease (lease clock)."""
    found = connection.execute(_PRESENT).all()
    return [one.id for one in found if one.heartbeat_at + timedelta(seconds=one.lease_s) < lease_now]


def named(connection: sa.Connection, ids: Collection[int]) -> dict[int, Node]:
    """Returns nodes by id, dead ones too."""
    query = sa.select(nodes).where(nodes.c.id.in_(sorted(ids)))
    return {row["id"]: Node(**row) for row in connection.execute(query).mappings()}
