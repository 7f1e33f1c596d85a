"""A Diameter node on asyncio: listens, dials, and carries messages between its peers and its applications.

The rules live elsewhere: `peer` (one connection), `peer_table` (which connections there may be), `inbound` (what the
node answers by itself), `outbound` (requests of ours). Here they meet sockets. It never logs: it tells `on_event`.
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping, Sequence

from protocols.connection_table import Eviction
from protocols.diameter.capabilities import LocalNode
from protocols.diameter.codec import FLAG_REQUEST
from protocols.diameter.events import (
    CapabilitiesRequested,
    Closed,
    Event,
    MessageRefused,
    Opened,
    ProbeAnswered,
    Received,
    Recovered,
    Shed,
    StateIdRaised,
    Suspected,
)
from protocols.diameter.identity import NodeIdentity, PeerConfig, encode_address
from protocols.diameter.inbound import Application, Inbound, Request
from protocols.diameter.limits import Limits
from protocols.diameter.node_events import (
    ConnectFailed,
    MessageRejected,
    NodeEvent,
    PeerDown,
    PeerRecovered,
    PeerRejected,
    PeerRestarted,
    PeerState,
    PeerSuspected,
    PeerUp,
    Undecodable,
)
from protocols.diameter.outbound import Answer, EndToEndIds, Outbound, RequestError
from protocols.diameter.peer_table import Entry, PeerTable
from protocols.diameter.session import Peer
from protocols.diameter.transitions import CloseReason, DisconnectCause, Role
from protocols.diameter.transport import Connection
from protocols.errors import LocalProtocolError
from protocols.listener import Listen, Listeners
from protocols.network import SOCKETS, Accepted, Network
from protocols.stream import patience, wait_finished
from protocols.tap import Tap

__all__ = [
    "Application",
    "DisconnectCause",
    "Limits",
    "Node",
    "NodeEvent",
    "NodeIdentity",
    "PeerConfig",
    "PeerState",
    "Request",
    "RequestError",
]


class Node:
    """One Diameter node.

    Args:
        peers: the peers that we know; nobody else may come in.
        applications: Application-Id -> handler and commands.
        listen: host, port (0: any) and, for TLS, a context.
        clock: seconds, monotonic.
        random: returns a float of [0, 1).
        on_event: is told of peers and refusals; it must not raise.
        network: what connections are made by.
        start_number: another one than at the start before; End-to-End Identifiers differ by it from start to start.
    """

    def __init__(
        self,
        identity: NodeIdentity,
        peers: Sequence[PeerConfig],
        applications: Mapping[int, Application],
        listen: Sequence[Listen] = (),
        limits: Limits | None = None,
        *,
        clock: Callable[[], float],
        random: Callable[[], float],
        on_event: Callable[[NodeEvent], None],
        network: Network = SOCKETS,
        start_number: int = 0,
    ) -> None:
        self._identity = identity
        self._applications = dict(applications)
        self._vendors = {code: application.vendor_id for code, application in applications.items()}
        self._limits = limits or Limits()
        self._clock, self._network = clock, network
        self._random = random
        self._on_event = on_event
        self._table = PeerTable(identity.origin_host, peers, self._limits, random, clock())
        self._inbound = Inbound(identity, self._applications, on_event)
        self._end_to_end = EndToEndIds(start_number, random)
        self._outbound = Outbound(self._table, self._end_to_end, self._flush)
        self._listen = listen
        self._listeners = Listeners[Connection](
            self._limits,
            self._limits.cer_deadline,
            accept=self._accept,
            refuse=self._refuse,
            evict=self._evict,
            network=network,
        )
        self._accepted = self._listeners.connections
        self._connections: dict[Peer, Connection] = {}
        self._dial_timer: asyncio.TimerHandle | None = None
        self._tap: Tap | None = None
        self._stopping = False

    @property
    def ports(self) -> list[int]:
        """The ports that we listen on, in the order of `listen`."""
        return self._listeners.ports

    async def start(self) -> None:
        """Listen, and begin to dial. OSError if a port cannot be had; nothing is left open then."""
        await self._listeners.open(self._listen)
        self._dial_due()

    async def stop(self, cause: DisconnectCause, deadline: float) -> None:
        """Leave all peers in order, within `deadline` seconds: answers that we owe, DPR, DPA, end."""
        self._stopping = True
        if self._dial_timer is not None:
            self._dial_timer.cancel()
        self._listeners.stop_accepting()
        now = self._clock()
        for peer, connection in list(self._connections.items()):
            if peer.closed:  # its TLS handshake is under way
                connection.evict("this node stops")
                continue
            peer.disconnect(cause, now, patience(deadline))
            connection.pump(now)
        await self._listeners.close()
        await wait_finished(
            self._connections.values(), deadline, lambda connection: connection.evict("this node stops")
        )

    def disconnect(self, identity: str, cause: DisconnectCause) -> None:
        """Leave one peer in order; it is dialled again unless the cause is DO_NOT_WANT_TO_TALK_TO_YOU."""
        entry = self._entry(identity)
        if entry.current is not None:
            now = self._clock()
            entry.reconnect.barred = cause is DisconnectCause.DO_NOT_WANT_TO_TALK_TO_YOU
            entry.current.disconnect(cause, now)
            self._pump(entry.current, now)

    def connect(self, identity: str) -> None:
        """Dial a peer now that is down, also one that did not want to talk to us."""
        self._table.dial_now(self._entry(identity), self._clock())
        self._dial_due()

    def add_peer(self, config: PeerConfig) -> None:
        """Know one more peer from now on, and dial it where it is to be dialled; LocalProtocolError if it is known."""
        if self._table.get(config.identity) is not None:
            raise LocalProtocolError(f"{config.identity} is a peer of this node already", "diameter.peer.known")
        self._table.add(config, self._clock())
        self._dial_due()

    def replace_peer(self, config: PeerConfig) -> None:
        """Know a peer by another configuration: its connection is left in order (DPR, REBOOTING) and made anew."""
        entry, now = self._entry(config.identity), self._clock()
        self._table.replace(entry, config, now)
        if entry.current is not None:
            self._dismiss(entry.current, DisconnectCause.REBOOTING, now)
        self._dial_due()

    async def remove_peer(self, identity: str, deadline: float) -> None:
        """Leave a peer in order within `deadline` seconds and forget it; it is not let in any more from now on."""
        entry, now = self._entry(identity), self._clock()
        self._pump_all(self._table.leave(entry, now), now)
        connection = self._connections.get(entry.current) if entry.current else None
        if entry.current is not None and connection is not None:
            cause = DisconnectCause.DO_NOT_WANT_TO_TALK_TO_YOU
            self._dismiss(entry.current, cause, now, patience(deadline))
            await wait_finished([connection], deadline, lambda connection: connection.evict("it is no peer any more"))
        self._table.remove(entry)

    async def request(
        self,
        peer_identity: str,
        command_code: int,
        application_id: int,
        body: bytes,
        timeout: float,  # noqa: ASYNC109 - it is Tx of the request, and belongs to it also after a failover
        *,
        failover: bool = False,
        destination_host: str = "",
    ) -> Answer:
        """Send a request to a peer and wait for its answer: header and whole message.

        With `failover`, another peer of the same realm takes it if this one is down or is lost meanwhile: with the T
        flag then, and the same End-to-End Identifier. Where it is for one host, that is a relay or the host itself.
        Raises RequestError.
        """
        if self._stopping:
            raise RequestError("the node is stopping", "diameter.request.no_peer")
        return await self._outbound.request(
            peer_identity,
            command_code,
            application_id,
            body,
            timeout,
            failover=failover,
            destination_host=destination_host,
        )

    def set_tap(self, tap: Tap | None) -> None:
        """Pass each message of every connection to a tap from now on; None ends it."""
        self._tap = tap
        for connection in self._connections.values():
            connection.set_tap(tap)

    def peers_state(self) -> list[PeerState]:
        """All peers that we know, as they are now."""
        return [self._state_of(entry) for entry in self._table]

    # What connections call (`transport.Owner`)

    def made(self, connection: Connection) -> None:
        """A transport is there: only now is it known which of our addresses the peer sees."""
        addresses = self._identity.host_ip_addresses or ((connection.local[0],) if connection.local[0] else ())
        connection.session.local = LocalNode(self._identity, tuple(map(encode_address, addresses)), self._vendors)

    def received(self, connection: Connection, event: Received, now: float) -> None:
        """An application's message: the hot path."""
        header, frame = event.header, event.frame
        if header.flags & FLAG_REQUEST:
            connection.counters.requests_in += 1
            self._inbound.receive(connection, header, frame, now, busy=event.busy)
        elif self._outbound.answered(connection.session, header, frame):
            connection.counters.answers_in += 1
        else:
            connection.counters.dropped += 1

    def shed(self, connection: Connection, event: Shed, now: float) -> None:
        """Requests of a peer that sends more than is done."""
        connection.counters.requests_in += len(event.requests)
        connection.send_refusals(self._inbound.refuse(connection.identity, event.requests, now))

    def happened(self, connection: Connection, event: Event, now: float) -> None:
        """Anything else that a connection has to tell."""
        match event:
            case CapabilitiesRequested() if connection.session.closed:
                pass  # by what came behind its CER: `Closed` follows
            case CapabilitiesRequested():
                self._pump_all(self._table.admit(connection.session, connection.access, now), now)
            case Opened():
                self._opened(connection, event, now)
            case Closed():
                self._closed(connection, event, now)
            case ProbeAnswered():
                self._pump_all(self._table.probed(connection.session, now), now)
            case Suspected():
                self._on_event(PeerSuspected(connection.identity))
                self._outbound.suspected(connection.session)
            case Recovered():
                self._on_event(PeerRecovered(connection.identity))
            case StateIdRaised():
                self._on_event(PeerRestarted(connection.identity, event.origin_state_id))
            case MessageRefused():
                code, reason, message = event.result_code, event.reason, event.message
                self._on_event(MessageRejected(connection.identity, event.command_code, 0, code, reason, message))

    def gone(self, connection: Connection, detail: str) -> None:
        """Nothing is left of a connection."""
        self._connections.pop(connection.session, None)
        if connection in self._accepted.half_open:  # it never got beyond TLS
            self._refuse(connection.access.address, detail)
        self._accepted.discard(connection)

    # Inside

    def _dismiss(self, peer: Peer, cause: DisconnectCause, now: float, patience: float | None = None) -> None:
        peer.disconnect(cause, now, patience)
        self._pump(peer, now)

    def _accept(self, accepted: Accepted, address: str, tls: ssl.SSLContext | None) -> Connection:
        peer = self._new_peer(Role.RESPONDER)
        connection = Connection(self, peer, self._limits, self._clock, address, self._network)
        connection.set_tap(self._tap)
        self._connections[peer] = connection
        connection.take(accepted, tls)
        return connection

    def _refuse(self, address: str, detail: str) -> None:
        self._on_event(PeerRejected(address, "", detail))

    def _evict(self, connection: Connection, eviction: Eviction) -> None:
        if eviction is Eviction.LATE:
            connection.evict(CloseReason.CER_DEADLINE.value, CloseReason.CER_DEADLINE)
        else:
            connection.evict(eviction.value)

    def _new_peer(self, role: Role, entry: Entry | None = None) -> Peer:
        return Peer(
            role,
            LocalNode(self._identity, (), self._vendors),
            self._limits,
            end_to_end=self._end_to_end,
            hop_by_hop=int(self._random() * (1 << 32)),
            expected=entry.config.identity if entry else "",
            expected_realm=entry.config.realm if entry else "",
            watchdog=entry.watchdog if entry else None,
        )

    def _opened(self, connection: Connection, event: Opened, now: float) -> None:
        self._accepted.leave_half_open(connection)
        entry = self._table.get(event.capabilities.origin_host)
        assert entry is not None
        connection.identity = entry.config.identity
        connection.relay = entry.config.relay
        connection.counters = entry.counters
        self._pump_all(self._table.opened(connection.session, now), now)
        self._on_event(
            PeerUp(
                entry.config.identity,
                event.capabilities.origin_realm,
                connection.access.address,
                event.capabilities.product_name,
                event.capabilities.origin_state_id,
                connection.session.role is Role.INITIATOR,
            )
        )

    def _closed(self, connection: Connection, event: Closed, now: float) -> None:
        self._accepted.leave_half_open(connection)
        self._report_closed(connection, event)
        self._pump_all(self._table.closed(connection.session, event.reason, event.cause, now), now)
        self._outbound.lost(connection.session)
        self._plan_dial(now)

    def _report_closed(self, connection: Connection, event: Closed) -> None:
        peer, address = connection.session, connection.access.address
        claimed = peer.capabilities.origin_host if peer.capabilities else ""
        if event.reason is CloseReason.FRAMING:
            self._on_event(Undecodable(address, connection.identity or claimed, event.detail, event.message))
        if event.was_open:
            self._on_event(PeerDown(connection.identity, event.reason, event.detail, event.cause, peer.outstanding))
        elif peer.role is Role.INITIATOR:
            self._on_event(ConnectFailed(connection.identity, event.reason, event.detail))
        else:
            self._on_event(PeerRejected(address, claimed, event.detail or event.reason.value))

    def _pump_all(self, peers: Sequence[Peer], now: float) -> None:
        for peer in peers:
            self._pump(peer, now)

    def _pump(self, peer: Peer, now: float) -> None:
        connection = self._connections.get(peer)
        if connection is not None:
            connection.pump(now)

    def _flush(self, peer: Peer) -> None:
        connection = self._connections.get(peer)
        if connection is not None:
            connection.flush_soon()

    def _plan_dial(self, now: float) -> None:
        """Set the timer for the next peer that is due."""
        if self._dial_timer is not None:
            self._dial_timer.cancel()
            self._dial_timer = None
        deadline = self._table.deadline()
        if deadline is not None and not self._stopping:
            delay = max(0.0, deadline - now)
            self._dial_timer = asyncio.get_running_loop().call_later(delay, self._dial_due)

    def _dial_due(self) -> None:
        now = self._clock()
        if self._stopping:
            return
        for entry in self._table.due(now):
            peer = self._new_peer(Role.INITIATOR, entry)
            connection = Connection(self, peer, self._limits, self._clock, network=self._network)
            connection.set_tap(self._tap)
            connection.identity = entry.config.identity
            self._table.dialled(entry, peer)
            self._connections[peer] = connection
            assert entry.config.connect is not None
            connection.dial(
                *entry.config.connect, entry.config.tls, entry.config.identity, self._limits.connect_deadline
            )
        self._plan_dial(now)

    def _entry(self, identity: str) -> Entry:
        entry = self._table.get(identity)
        if entry is None:
            raise LocalProtocolError(f"{identity} is not a peer of this node", "diameter.peer.unknown")
        return entry

    def _state_of(self, entry: Entry) -> PeerState:
        peer, counters = entry.current, entry.counters
        connection = self._connections.get(peer) if peer else None
        return PeerState(
            identity=entry.config.identity,
            realm=entry.config.realm,
            state=entry.state.value,
            watchdog=entry.watchdog.state.value,
            since=entry.since,
            address=connection.access.address if connection else "",
            outstanding=peer.outstanding if peer else 0,
            pending=self._outbound.count(peer) if peer else 0,
            requests_in=counters.requests_in,
            answers_out=counters.answers_out,
            requests_out=counters.requests_out,
            answers_in=counters.answers_in,
            rejected=counters.rejected,
            dropped=counters.dropped,
        )
