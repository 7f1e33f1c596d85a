"""Diameter: the node with its peers, credit control (Gy), and the requests to the clients of sessions."""

import asyncio
from collections.abc import Iterable
from typing import ClassVar

from prometheus_client.core import Metric

from gateway.charging.gy.cca import APPLICATION
from gateway.charging.gy.peer_restarts import PeerRestarts
from gateway.charging.gy.reauth_abort import SessionRequests
from gateway.charging.gy.server import CREDIT_CONTROL, CreditControlServer
from gateway.context import GatewayContext
from gateway.metrics.sources import peer_metrics
from gateway.runtime import tls
from gateway.runtime.component import Change, Component, NetworkEvent, Prepared, Services, Stage
from gateway.settings import Settings
from gateway.settings.diff import Sorted
from gateway.settings.sections.diameter import Diameter, DiameterPeer
from protocols.diameter.avp_validation import STANDARD, Profile
from protocols.diameter.identity import NodeIdentity, PeerConfig
from protocols.diameter.inbound import Application
from protocols.diameter.node import Node
from protocols.diameter.transitions import DisconnectCause
from protocols.tap import Tap

PRODUCT = "TPO gateway"
SECOND = 1_000_000
"""Microseconds."""
LEAVE_SECONDS = 10.0
"""How long a peer that goes may take for what is owed either way."""


class DiameterComponent(Component):
    """The Diameter node with credit control as its one application."""

    name: ClassVar[str] = "diameter"
    stage: ClassVar[Stage] = Stage.CONNECTIONS

    def __init__(self, services: Services, settings: Diameter) -> None:
        """Make it from the settings in force; OSError where a certificate does not load."""
        context, log, metrics = services.context, services.log, services.metrics
        identity = _identity(context, settings)
        self._on_network = services.on_network
        self._peer_restarts = PeerRestarts(
            context.lane,
            lambda: context.node.owned,
            relays_of(settings),
            read=context.read_async,
            clock=context.clock,
            alarm=log,
            background=services.background,
        )
        self._server = CreditControlServer(
            context.lane,
            origin_host=settings.identity,
            origin_realm=settings.realm,
            deadline=float(context.settings.charging.deadline),
            clock=context.clock,
            monotonic=context.monotonic,
            observe=metrics.observe,
            alarm=log,
            profiles=profiles_of(settings),
            country=context.settings.operator.country,
            report_state=self._peer_restarts.report,
            contexts=context.settings.charging.service_contexts,
            located=_located(context.settings),
            draining=lambda: context.draining,
        )
        self.node = Node(
            identity,
            [peer_config(peer) for peer in settings.peers],
            {APPLICATION: Application(self._server.handle, frozenset({CREDIT_CONTROL}))},
            [
                (at.address.host, at.address.port, tls.server_context(at.tls) if at.tls else None)
                for at in settings.listen
            ],
            clock=context.monotonic,
            random=context.environment.random.random,
            on_event=self._record,
            network=context.environment.network,
            start_number=context.node.starts,
        )
        self.session_requests = SessionRequests(
            self.node,
            context.lane,
            number=context.node.id,
            identity=identity,
            realms=realms_of(settings),
            read=context.read_async,
            clock=context.clock,
            observe=metrics.observe_session_request,
            alarm=log,
            abort_wait=context.settings.charging.abort_wait * SECOND,
            may_send=lambda: context.may_send,
        )

    async def start(self) -> None:
        """Listen, and begin to dial."""
        await self.node.start()

    async def stop(self) -> None:
        """Leave all peers in order."""
        await self.node.stop(DisconnectCause.REBOOTING, LEAVE_SECONDS)

    async def prepare(self, change: Change) -> Prepared | None:
        """Make what the node needs of peers that came or changed; OSError where their certificates do not load."""
        settings, peers = change.settings.diameter, change.changes.peers
        if settings is None:
            return None
        wanted = {peer.identity.lower(): peer for peer in settings.peers}
        configs = {name: peer_config(wanted[name]) for name in (*peers.added, *peers.changed)}

        def apply() -> None:
            self._server.apply_settings(
                deadline=float(change.settings.charging.deadline),
                profiles=profiles_of(settings),
                country=change.settings.operator.country,
                contexts=change.settings.charging.service_contexts,
                located=_located(change.settings),
            )
            self.session_requests.apply_settings(realms_of(settings), change.settings.charging.abort_wait * SECOND)
            self._peer_restarts.apply_settings(relays_of(settings))

        return Prepared(apply, lambda: self._reconnect(peers, configs))

    async def _reconnect(self, peers: Sorted, configs: dict[str, PeerConfig]) -> None:
        leaving = [self.node.remove_peer(name, LEAVE_SECONDS) for name in peers.removed]
        for name in peers.changed:
            self.node.replace_peer(configs[name])
        for name in peers.added:
            self.node.add_peer(configs[name])
        await asyncio.gather(*leaving)

    def metrics(self) -> Iterable[Metric]:
        """Return the figures of each peer."""
        return peer_metrics(self.node)

    def set_tap(self, tap: Tap | None) -> None:
        """Copy each message of every peer."""
        self.node.set_tap(tap)

    def _record(self, event: NetworkEvent) -> None:
        self._on_network(event)
        self._peer_restarts.record(event)


def _identity(context: GatewayContext, settings: Diameter) -> NodeIdentity:
    return NodeIdentity(
        origin_host=settings.identity,
        origin_realm=settings.realm,
        product_name=PRODUCT,
        origin_state_id=context.node.origin_state_id,
        aliases=tuple(settings.aliases),
        served_realms=tuple(settings.served_realms),
    )


def profiles_of(settings: Diameter) -> dict[str, Profile]:
    """Return the peers whose requests are read leniently."""
    lenient = Profile(STANDARD.grouped, lenient=True)
    return {peer.identity: lenient for peer in settings.peers if peer.profile == "lenient"}


def _located(settings: Settings) -> bool:
    """Return whether the network that serves a customer changes any price."""
    return any(plan.zones for plan in settings.plans.values())


def realms_of(settings: Diameter) -> dict[str, str]:
    """Return the realm of each peer."""
    return {peer.identity: peer.realm for peer in settings.peers}


def relays_of(settings: Diameter) -> frozenset[str]:
    """Return the peers that are relays."""
    return frozenset(peer.identity for peer in settings.peers if peer.relay)


def peer_config(peer: DiameterPeer) -> PeerConfig:
    """Turn a peer's settings into what the node needs; OSError (ssl.SSLError) where its certificates do not load."""
    return PeerConfig(
        identity=peer.identity,
        realm=peer.realm,
        connect=(peer.connect.host, peer.connect.port) if peer.connect else None,
        tls=tls.client_context(peer.tls) if peer.tls else None,
        allowed_addresses=tuple(map(str, peer.addresses)),
        relay=peer.relay,
    )
