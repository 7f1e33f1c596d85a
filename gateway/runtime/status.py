"""What the action `status` answers: how the parts of the running gateway do, and how the others on its store say they do."""

from collections.abc import Callable, Sequence

from msgspec import structs

from gateway.api.action import AsyncAction, Everywhere, RunningAction
from gateway.api.answers.nodes import BackupView, DrainState, GatewayStatus, HostView, LaneView, NodeProblem, PeerView
from gateway.api.callers import VIEWER, Caller
from gateway.api.requests.nodes import ShowStatus
from gateway.concerns import Concern
from gateway.context import GatewayContext
from gateway.events.forwarder import Forwarder
from gateway.events.times import MICROSECONDS, rfc3339, since
from gateway.sims.order_executor import OrderExecutor
from protocols.diameter.node import Node


def status_actions(status: Callable[[], GatewayStatus]) -> dict[str, RunningAction]:
    """Return the action, by its name; `status` tells how this gateway does."""

    async def show(_request: ShowStatus, _caller: Caller) -> GatewayStatus:
        return status()

    where = Everywhere(GatewayStatus, _join, wanted=_is_for_all)
    return {"status": AsyncAction(show, VIEWER, ShowStatus, where)}


def _is_for_all(request: ShowStatus) -> bool:
    return request.all


def _join(found: Sequence[GatewayStatus], silent: Sequence[NodeProblem]) -> GatewayStatus:
    own, *others = found
    return structs.replace(own, others=others, silent=list(silent))


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
