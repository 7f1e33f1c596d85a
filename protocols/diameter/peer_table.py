"""All peers that we know: who may come in, which of two connections stays, and whom to dial when.

Pure: time and randomness are arguments. Each method returns the connections (`Peer`s) that it made do something, so
that the owner can send their octets and read their events.
"""

from collections.abc import Callable, Iterable, Iterator
from ipaddress import ip_address, ip_network

import msgspec

from protocols.diameter.capabilities import Capabilities
from protocols.diameter.errors import DiameterError, ResultCode
from protocols.diameter.identity import PeerConfig, fold, is_named_by
from protocols.diameter.limits import Limits
from protocols.diameter.reconnect import Reconnect
from protocols.diameter.session import Peer
from protocols.diameter.transitions import CloseReason, DisconnectCause, SessionState
from protocols.diameter.watchdog import Watchdog, WatchdogState


class Access(msgspec.Struct, frozen=True):
    """What the transport knows about the other end of an accepted connection.

    Attributes:
        address: its IP address.
        secure: TLS is in use.
        names: DNS names of its certificate; None: it showed none.
    """

    address: str
    secure: bool = False
    names: tuple[str, ...] | None = None


class Counters(msgspec.Struct, gc=False):
    """Messages of one peer since the node started."""

    requests_in: int = 0
    answers_out: int = 0
    requests_out: int = 0
    answers_in: int = 0
    rejected: int = 0
    dropped: int = 0


class Entry:
    """One peer that we know, with its connections."""

    __slots__ = (
        "candidate",
        "config",
        "counters",
        "current",
        "leaving",
        "reconnect",
        "retry_at",
        "since",
        "watchdog",
    )

    def __init__(self, config: PeerConfig, watchdog: Watchdog, reconnect: Reconnect, now: float) -> None:
        self.config = config
        self.watchdog = watchdog
        self.reconnect = reconnect
        self.counters = Counters()
        self.current: Peer | None = None
        self.candidate: Peer | None = None
        """A connection of the same peer that has sent its CER and waits for the fate of `current`."""
        self.retry_at: float | None = now if config.connect else None
        self.leaving = False
        """It is being forgotten: it is neither dialled nor let in."""
        self.since = now
        """When `state` last became open or ceased to be."""

    @property
    def state(self) -> SessionState:
        """Of the connection in use."""
        return self.current.state if self.current else SessionState.CLOSED

    @property
    def open(self) -> bool:
        """Requests may be sent to it."""
        return self.current is not None and self.current.state is SessionState.OPEN


class PeerTable:
    """The peers of one node."""

    def __init__(
        self,
        origin_host: str,
        configs: Iterable[PeerConfig],
        limits: Limits,
        random: Callable[[], float],
        now: float,
    ) -> None:
        self._origin_host = fold(origin_host)
        self._limits = limits
        self._random = random
        self._entries: dict[str, Entry] = {}
        for config in configs:
            self.add(config, now)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def get(self, identity: str) -> Entry | None:
        """The peer of this identity."""
        return self._entries.get(fold(identity))

    def add(self, config: PeerConfig, now: float) -> None:
        """Know one more peer, which is dialled now if it is to be dialled at all."""
        watchdog, reconnect = Watchdog(self._random, self._limits.tw), Reconnect(self._limits, self._random)
        self._entries[fold(config.identity)] = Entry(config, watchdog, reconnect, now)

    def replace(self, entry: Entry, config: PeerConfig, now: float) -> None:
        """Know the same peer by another configuration; a connection that is there stays as it was made."""
        entry.config = config
        entry.reconnect.forget()
        entry.retry_at = now if config.connect and entry.current is None else None

    def leave(self, entry: Entry, now: float) -> tuple[Peer, ...]:
        """Begin to forget a peer; its connection in use is the owner's to end, then `remove` does the rest."""
        entry.leaving, entry.retry_at = True, None
        return self._dismiss_candidate(entry, now)

    def remove(self, entry: Entry) -> None:
        """Forget a peer that has no connection any more."""
        del self._entries[fold(entry.config.identity)]

    def admit(self, peer: Peer, access: Access, now: float) -> tuple[Peer, ...]:
        """Answer `CapabilitiesRequested`: accept, refuse, or keep it waiting for the connection that is there."""
        assert peer.capabilities is not None
        entry = self._entries.get(fold(peer.capabilities.origin_host))
        refusal = _refusal(entry, peer.capabilities, access)
        if refusal or entry is None:
            peer.refuse(refusal or _unknown(""), now)
            return (peer,)
        if entry.current is None or entry.current.closed:
            self._take(entry, peer, now)
            return (peer,)
        if entry.candidate is not None:
            peer.refuse(_second(), now)
            return (peer,)
        return self._compete(entry, entry.current, peer, now)

    def opened(self, peer: Peer, now: float) -> tuple[Peer, ...]:
        """The capabilities were exchanged on this connection."""
        entry = self._entry_of(peer)
        if entry is None:
            return ()
        entry.reconnect.forget()
        entry.since = now
        return self._dismiss_candidate(entry, now)

    def probed(self, peer: Peer, now: float) -> tuple[Peer, ...]:
        """The old connection is alive: the new one has to go."""
        entry = self._entry_of(peer)
        return self._dismiss_candidate(entry, now) if entry else ()

    def closed(self, peer: Peer, reason: CloseReason, cause: DisconnectCause | None, now: float) -> tuple[Peer, ...]:
        """A connection has ended: the next one takes its place, or is dialled in time."""
        entry = self._entry_of(peer)
        if entry is None:
            return ()
        if entry.candidate is peer:
            entry.candidate = None
            return ()
        entry.current, entry.since = None, now
        candidate, entry.candidate = entry.candidate, None
        if candidate is not None and not candidate.closed:
            self._take(entry, candidate, now)
            return (candidate,)
        self._plan_retry(entry, reason, cause, now)
        return ()

    def due(self, now: float) -> list[Entry]:
        """The peers to dial now; put the new connection in by `dialled`."""
        return [entry for entry in self if _at(entry, now)]

    def dialled(self, entry: Entry, peer: Peer) -> None:
        """A connection to this peer is being made."""
        entry.current, entry.retry_at = peer, None

    def dial_now(self, entry: Entry, now: float) -> None:
        """Someone wants this peer back at once, barred or not."""
        if entry.config.connect and entry.current is None:
            entry.reconnect.forget()
            entry.retry_at = now

    def deadline(self) -> float | None:
        """When the next peer is due."""
        return min((e.retry_at for e in self if e.retry_at is not None and e.current is None), default=None)

    def usable(
        self, realm: str, application_id: int, besides: Entry | None = None, destination_host: str = ""
    ) -> Entry | None:
        """A peer of the realm that takes requests of the application: one above doubt, else one on trial.

        What is for one host goes to that host or by a relay: another host of the realm would take it for its own.
        """
        best: Entry | None = None
        for entry in self:
            if entry is besides or not entry.open or fold(entry.config.realm) != fold(realm):
                continue
            if destination_host and not entry.config.relay and fold(entry.config.identity) != fold(destination_host):
                continue
            if not speaks(entry, application_id) or entry.watchdog.state is WatchdogState.SUSPECT:
                continue
            if entry.watchdog.state is WatchdogState.OKAY:
                return entry
            best = best or entry
        return best

    def _compete(self, entry: Entry, current: Peer, peer: Peer, now: float) -> tuple[Peer, ...]:
        """Two connections of one peer: RFC 6733 §5.6.4, and our probe where one is open."""
        match current.state:
            case SessionState.WAIT_CONN_ACK | SessionState.CLOSING:
                # No CER of ours is out yet, or the end was already agreed on: nothing to wait for.
                current.abandon(
                    CloseReason.ELECTION if current.state is SessionState.WAIT_CONN_ACK else CloseReason.LEFT, now
                )
                self._take(entry, peer, now)
                return current, peer
            case SessionState.WAIT_I_CEA if self._origin_host > fold(entry.config.identity):
                current.abandon(CloseReason.ELECTION, now)  # Win-Election: I-Disc, R-Snd-CEA
                self._take(entry, peer, now)
                return current, peer
            case SessionState.OPEN:
                current.probe(now)
        entry.candidate = peer
        return (current,)

    def _take(self, entry: Entry, peer: Peer, now: float) -> None:
        entry.current, entry.retry_at = peer, None
        peer.accept(entry.watchdog, now)

    def _dismiss_candidate(self, entry: Entry, now: float) -> tuple[Peer, ...]:
        candidate, entry.candidate = entry.candidate, None
        if candidate is None or candidate.closed:
            return ()
        candidate.refuse(_second(), now)
        return (candidate,)

    def _plan_retry(self, entry: Entry, reason: CloseReason, cause: DisconnectCause | None, now: float) -> None:
        if entry.config.connect is not None and not entry.leaving:
            entry.retry_at = entry.reconnect.lost(now, reason, cause)

    def _entry_of(self, peer: Peer) -> Entry | None:
        return next((entry for entry in self if peer in (entry.current, entry.candidate)), None)


def speaks(entry: Entry, application_id: int) -> bool:
    """Whether the open connection of the peer carries the application."""
    peer = entry.current
    return peer is not None and peer.capabilities is not None and application_id in peer.local.common(peer.capabilities)


def _at(entry: Entry, now: float) -> bool:
    return entry.current is None and entry.retry_at is not None and entry.retry_at <= now


def _may_come_from(address: str, allowed: tuple[str, ...]) -> bool:
    ip = ip_address(address.partition("%")[0])
    return not allowed or any(ip in ip_network(network, strict=False) for network in allowed)


def _refusal(entry: Entry | None, capabilities: Capabilities, access: Access) -> DiameterError | None:
    """Why this peer may not come in; all reasons look the same to the peer, but for the sentence."""
    origin_host = capabilities.origin_host
    if entry is None or entry.leaving:
        return _unknown(f"{origin_host} is not a peer of this node")
    if fold(capabilities.origin_realm) != fold(entry.config.realm):
        return _unknown(f"{origin_host} is of {entry.config.realm}, and says that it is of {capabilities.origin_realm}")
    if not _may_come_from(access.address, entry.config.allowed_addresses):
        return _unknown(f"{origin_host} may not connect from {access.address}")
    if entry.config.tls is not None and not access.secure:
        return _unknown(f"{origin_host} has to use TLS")
    if access.names is not None and not is_named_by(origin_host, access.names):
        return _unknown(f"the certificate does not name {origin_host}")
    return None


def _unknown(reason: str) -> DiameterError:
    return DiameterError(ResultCode.DIAMETER_UNKNOWN_PEER, reason)


def _second() -> DiameterError:
    return DiameterError(ResultCode.DIAMETER_ELECTION_LOST, "another connection of this peer is in use")
