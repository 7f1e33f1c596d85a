"""Actions about gateways: those on one store, one taking over from another by a person's order, and the events of the store."""

from typing import Final, Literal

from gateway.api.answers.nodes import NodeAdopted, NodeRetired, Nodes, NodeView
from gateway.api.answers.rows import Events
from gateway.api.problems import conflict, not_found
from gateway.api.requests.fields import MAX_ROWS, Nothing, page_size
from gateway.api.requests.nodes import AdoptNode, ListEvents, NameNode
from gateway.context import GatewayContext
from gateway.events import queries as events_reading
from gateway.events.times import rfc3339
from gateway.store import takeover
from gateway.store.backends import end_backends
from gateway.store.leases import MICROSECONDS, NodeRow, all_nodes
from gateway.store.waiting_rows import WaitingRows, count_waiting

ATTEMPTS: Final = 20
"""How often a gateway that lives is reached for between two transactions of its own."""


def list_events(context: GatewayContext, request: ListEvents) -> Events:
    """Return events of the outbox."""
    with context.reading() as connection:
        return Events(events_reading.recent(connection, page_size(request.limit, 20, MAX_ROWS), request.after))


def list_nodes(context: GatewayContext, _request: Nothing) -> Nodes:
    """Return every gateway that has entered this store and was not retired, and of what waits for it."""
    with context.reading() as connection:
        rows = all_nodes(connection, context.clock())
        shards = {row.node: [each.node for each in rows if each.owner == row.node] for row in rows}
        waiting = {node: count_waiting(connection, owned) for node, owned in shards.items()}
    return Nodes([_view(context, row, shards[row.node], waiting[row.node]) for row in rows if not row.retired])


def adopt_node(context: GatewayContext, request: AdoptNode) -> NodeAdopted:
    """Take over from a gateway: this one goes on with its texts, orders and events."""
    row = _find(context, request.node)
    if row.owner != row.node:
        raise conflict("node.adopted", f"{row.name} was taken over by {row.owner_name} already")
    return NodeAdopted(row.name, row.node, _adopt(context, row, force=request.force))


def retire_node(context: GatewayContext, request: NameNode) -> NodeRetired:
    """Take over from a gateway that will never come back, unless another one has, and list it no more."""
    row = _find(context, request.node)
    owner = row.owner_name
    if row.owner == row.node:
        _adopt(context, row, force=False)
        owner = context.node_name
    retired: int = context.lane.run(takeover.RetireNodes(row.name))
    return NodeRetired(row.name, owner, retired)


def _adopt(context: GatewayContext, row: NodeRow, *, force: bool) -> int:
    """Take a node's shards, and give their number."""
    if row.node == context.node.id:
        raise conflict(
            "node.self", f"{row.name} is the gateway that you asked: ask the one that is to go on with its work"
        )
    if row.live and not force:
        seconds = row.age / MICROSECONDS
        raise conflict(
            "node.alive", f"{row.name} gave a sign of life {seconds:.1f} s ago: stop it first, or use --force"
        )
    for _ in range(ATTEMPTS if force else 1):
        context.read(lambda connection: end_backends(connection, row.node))
        shards: tuple[int, ...] = context.lane.run(
            takeover.AdoptNode(row.node, row.epoch, None if force else row.renewed_at)
        )
        if shards:
            return len(shards)
    raise conflict(
        "node.busy", f"{row.name} is back, was taken over by another gateway, or still commits: look, then try again"
    )


def _find(context: GatewayContext, name: str) -> NodeRow:
    """Return the node of a name or number: of one that was adopted and is back, the one that is back."""
    with context.reading() as connection:
        rows = all_nodes(connection, context.clock())
    named = [row for row in rows if name in (row.name, str(row.node)) and not row.retired]
    if not named:
        raise not_found("node.unknown", "no gateway of this name or number is listed by `tpo node list`")
    return named[-1]


def _view(context: GatewayContext, row: NodeRow, shards: list[int], waiting: WaitingRows) -> NodeView:
    return NodeView(
        name=row.name,
        number=row.node,
        state=_state(context, row),
        epoch=row.epoch,
        owner=row.owner_name,
        renewed_at=rfc3339(row.renewed_at) if row.renewed_at else None,
        shards=shards,
        texts=waiting.texts,
        orders=waiting.orders,
        events=waiting.events,
    )


def _state(context: GatewayContext, row: NodeRow) -> Literal["here", "live", "gone", "adopted"]:
    if row.node == context.node.id:
        return "here"
    return "adopted" if row.owner != row.node else "live" if row.live else "gone"
