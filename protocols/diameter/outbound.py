"""Requests that go out: who waits for which answer, and what becomes of them when a peer is lost (RFC 6733 §5.5.4)."""

import asyncio
from collections.abc import Callable
from typing import Final

from protocols.diameter.codec import FLAG_PROXIABLE, FLAG_REQUEST, FLAG_RETRANSMIT, Header
from protocols.diameter.peer_table import Entry, PeerTable, speaks
from protocols.diameter.session import Peer
from protocols.errors import ProtocolError

Answer = tuple[Header, bytes]

_NO_PEER: Final = "diameter.request.no_peer"
_LOST: Final = "diameter.request.peer_lost"
_TIMEOUT: Final = "diameter.request.timeout"


class RequestError(ProtocolError):
    """No answer came. `code` says why: no peer to send to, the peer was lost, or time was up.

    The peer may have acted on the request unless there was none to send to.
    """

    @property
    def sent(self) -> bool:
        """Whether the request left at all."""
        return self.code != _NO_PEER


class EndToEndIds:
    """End-to-End Identifiers: unique for four minutes even across a restart (RFC 6733 §3).

    Args:
        start_number: another one than at the start before; its low 12 bits become the high ones.
        random: returns a float of [0, 1).
    """

    def __init__(self, start_number: int, random: Callable[[], float]) -> None:
        self._next = (start_number & 0xFFF) << 20 | int(random() * (1 << 20))

    def __call__(self) -> int:
        """The next one."""
        self._next = self._next + 1 & 0xFFFFFFFF
        return self._next


class _Pending:
    """A request that waits for its answer."""

    __slots__ = (
        "application_id",
        "body",
        "command_code",
        "destination_host",
        "end_to_end",
        "entry",
        "failover",
        "future",
        "hop_by_hop",
        "waiting",
    )

    def __init__(
        self,
        entry: Entry,
        command_code: int,
        application_id: int,
        end_to_end: int,
        body: bytes,
        *,
        failover: bool,
        destination_host: str,
        future: asyncio.Future[Answer],
    ) -> None:
        self.entry = entry
        self.command_code = command_code
        self.application_id = application_id
        self.end_to_end = end_to_end
        self.body = body
        self.failover, self.destination_host = failover, destination_host
        self.future = future
        self.hop_by_hop = 0
        self.waiting: dict[int, _Pending] = {}
        """Where it waits: the pending requests of its connection."""


class Outbound:
    """The pending requests of a node, by connection and Hop-by-Hop Identifier.

    Args:
        flush: sends what the connection of a peer has to send.
    """

    def __init__(self, table: PeerTable, end_to_end: Callable[[], int], flush: Callable[[Peer], None]) -> None:
        self._table = table
        self._end_to_end = end_to_end
        self._flush = flush
        self._pending: dict[Peer, dict[int, _Pending]] = {}

    async def request(
        self,
        identity: str,
        command_code: int,
        application_id: int,
        body: bytes,
        tx: float,
        *,
        failover: bool,
        destination_host: str = "",
    ) -> Answer:
        """Send a request to a peer and wait for its answer; raises RequestError."""
        entry = self._table.get(identity)
        if entry is None:
            raise RequestError(f"{identity} is not a peer of this node", _NO_PEER)
        target: Entry | None = entry
        if not entry.open or not speaks(entry, application_id):
            usable = self._table.usable
            target = usable(entry.config.realm, application_id, entry, destination_host) if failover else None
        if target is None:
            raise RequestError(f"{identity} is {entry.state.value}", _NO_PEER)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        end_to_end = self._end_to_end()
        pending = _Pending(
            target,
            command_code,
            application_id,
            end_to_end,
            body,
            failover=failover,
            destination_host=destination_host,
            future=future,
        )
        timer = loop.call_later(tx, _time_out, pending)
        try:
            self._send(target, pending, FLAG_REQUEST | FLAG_PROXIABLE)
            return await future
        finally:
            timer.cancel()
            pending.waiting.pop(pending.hop_by_hop, None)

    def answered(self, peer: Peer, header: Header, frame: bytes) -> bool:
        """An answer has come; False if nobody waits for it."""
        pending = self._pending.get(peer, {}).pop(header.hop_by_hop, None)
        if pending is None or pending.future.done():
            return False
        pending.future.set_result((header, frame))
        return True

    def count(self, peer: Peer) -> int:
        """Requests that wait for an answer of this connection."""
        return len(self._pending.get(peer, ()))

    def suspected(self, peer: Peer) -> None:
        """What may go to another peer goes; the rest waits on, the peer may yet answer."""
        mine = self._pending.get(peer, {})
        for hop_by_hop, pending in list(mine.items()):
            if self._resend(pending):
                del mine[hop_by_hop]

    def lost(self, peer: Peer) -> None:
        """The connection has ended: what may go to another peer goes, the rest has failed."""
        for pending in self._pending.pop(peer, {}).values():
            if not self._resend(pending) and not pending.future.done():
                identity = pending.entry.config.identity
                pending.future.set_exception(RequestError(f"the connection to {identity} was lost", _LOST))

    def _resend(self, pending: _Pending) -> bool:
        """Send it to another peer of the realm: T set, End-to-End Identifier and Destination-Host as they were."""
        if not pending.failover or pending.future.done():
            return False
        realm, host = pending.entry.config.realm, pending.destination_host
        entry = self._table.usable(realm, pending.application_id, pending.entry, host)
        if entry is None:
            return False
        self._send(entry, pending, FLAG_REQUEST | FLAG_PROXIABLE | FLAG_RETRANSMIT)
        return True

    def _send(self, entry: Entry, pending: _Pending, flags: int) -> None:
        peer = entry.current
        assert peer is not None
        pending.hop_by_hop = peer.send_request(
            flags, pending.command_code, pending.application_id, pending.end_to_end, pending.body
        )
        pending.entry = entry
        pending.waiting = self._pending.setdefault(peer, {})
        pending.waiting[pending.hop_by_hop] = pending
        entry.counters.requests_out += 1
        self._flush(peer)


def _time_out(pending: _Pending) -> None:
    if not pending.future.done():
        pending.future.set_exception(RequestError(f"no answer of {pending.entry.config.identity} in time", _TIMEOUT))
