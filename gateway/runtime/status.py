"""What the action `status` answers: how the parts of the running gateway do."""

from msgspec import structs

from gateway.api.answers import BackupView, DrainState, GatewayStatus, HostView, LaneView, PeerView
from gateway.api.times import since
from gateway.concerns import Concern
from gateway.context import GatewayContext
from gateway.events.forwarder import Forwarder
from gateway.events.times import MICROSECONDS, rfc3339
from gateway.sims.order_executor import OrderExecutor
from protocols.diameter.node import Node


def gateway_status(
    context: GatewayContext,
    node: Node | None,
    forwarder: Forwarder | None,
    executor: OrderExecutor,
    *,
    started_at: float,
    ready: dict[str, bool],
    drain: DrainState | None,
    traces: int,
    concerns: list[Concern],
    backup: BackupView | None,
) -> GatewayStatus:
    """Make the answer; `node`, `forwarder` and `backup` are there where Diameter, a broker and a backup are configured."""
    peers = node.peers_state() if node is not None else []
    return GatewayStatus(
        state="draining" if context.draining else "running",
        drain=drain,
        node=context.node_name,
        since=rfc3339(int(started_at * MICROSECONDS)),
        ready=ready,
        traces=traces,
        lane=LaneView(context.lane.depth, **structs.asdict(context.lane.counters)),
        peers=[PeerView(**structs.asdict(peer) | {"since": since(context.environment, peer.since)}) for peer in peers],
        events=forwarder.state() if forwarder is not None else None,
        hosts=[HostView(name, up, executor.trouble(name)) for name, up in executor.hosts.items()],
        concerns=concerns,
        backup=backup,
    )
