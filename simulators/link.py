"""The PGW's connection to the gateway: dialled again when it is lost, with requests that can be repeated over the next one.

It stands on the connection and the peer machine of `protocols.diameter`, one floor below `Node`, because a client that has a
single server must be able to repeat a request to that same server: T flag set, End-to-End Identifier kept (RFC 6733 §5.5.4).
"""

import asyncio
from collections.abc import Callable
from typing import Final

from protocols.diameter.capabilities import Capabilities, LocalNode
from protocols.diameter.codec import FLAG_PROXIABLE, FLAG_REQUEST, FLAG_RETRANSMIT, Header
from protocols.diameter.events import Closed, Event, Opened, Received, Shed
from protocols.diameter.identity import NodeIdentity, encode_address
from protocols.diameter.inbound import Application, Inbound
from protocols.diameter.limits import Limits
from protocols.diameter.messages import CREDIT_CONTROL_APPLICATION, CreditControlRequest
from protocols.diameter.outbound import EndToEndIds
from protocols.diameter.session import Peer
from protocols.diameter.transitions import DisconnectCause, Role
from protocols.diameter.transport import Connection
from protocols.diameter.watchdog import Watchdog

REDIAL_SECONDS: Final = 0.2
Answer = tuple[Header, bytes]


class Unanswered(Exception):
    """A request has had no answer over this connection: time was up, or the connection was lost."""


class Link:
    """One connection at a time to `address`, kept up from `start` to `stop`; `application` takes the gateway's requests."""

    def __init__(
        self,
        address: tuple[str, int],
        identity: NodeIdentity,
        *,
        clock: Callable[[], float],
        random: Callable[[], float],
        application: Application,
    ) -> None:
        self.capabilities: Capabilities | None = None
        """What the gateway said of itself, once it did."""
        self.connects = 0
        self.last_failure = ""
        self._address, self._identity = address, identity
        self._clock, self._random = clock, random
        self._limits = Limits()
        self._end_to_end = EndToEndIds(identity.origin_state_id, random)
        self._watchdog = Watchdog(random, self._limits.tw)
        self._inbound = Inbound(identity, {CREDIT_CONTROL_APPLICATION: application}, _ignore)
        self._connection: Connection | None = None
        self._pending: dict[int, asyncio.Future[Answer]] = {}
        self._up = asyncio.Event()
        self._down = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to dial."""
        self._keeper = asyncio.create_task(self._keep_up())

    async def stop(self, deadline: float = 3.0) -> None:
        """Leave in order (DPR), within `deadline` seconds, and dial no more."""
        if self._keeper is not None:
            self._keeper.cancel()
        connection = self._connection
        if connection is None:
            return
        now = self._clock()
        connection.session.disconnect(DisconnectCause.DO_NOT_WANT_TO_TALK_TO_YOU, now, deadline)
        connection.pump(now)
        try:
            async with asyncio.timeout(deadline):
                await self._down.wait()
        except TimeoutError:
            connection.evict("it did not leave in time")

    async def wait_up(self, patience: float) -> bool:
        """Wait until requests can be sent; False if that is not so after `patience` seconds."""
        try:
            async with asyncio.timeout(patience):
                await self._up.wait()
        except TimeoutError:
            return False
        return True

    @property
    def up(self) -> bool:
        """Requests can be sent."""
        return self._up.is_set()

    def new_end_to_end(self) -> int:
        """An End-to-End Identifier, for a request and all its repetitions."""
        return self._end_to_end()

    async def request(self, body: bytes, end_to_end: int, tx: float, *, repeated: bool) -> Answer:
        """Send a CCR and wait at most `tx` seconds for its answer; raises Unanswered."""
        connection = self._connection
        if connection is None or not self.up:
            raise Unanswered("there is no connection")
        flags = FLAG_REQUEST | FLAG_PROXIABLE | (FLAG_RETRANSMIT if repeated else 0)
        code, application = CreditControlRequest.command_code, CREDIT_CONTROL_APPLICATION
        hop_by_hop = connection.session.send_request(flags, code, application, end_to_end, body)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._pending[hop_by_hop] = future
        connection.flush_soon()
        try:
            async with asyncio.timeout(tx):
                return await future
        except TimeoutError:
            raise Unanswered(f"no answer within {tx:g} s") from None
        finally:
            self._pending.pop(hop_by_hop, None)

    # What the connection calls (`transport.Owner`)

    def made(self, connection: Connection) -> None:
        """The TCP connection is there: our CER tells its address."""
        addresses = (encode_address(connection.local[0]),) if connection.local[0] else ()
        connection.session.local = self._local(addresses)

    def received(self, connection: Connection, event: Received, now: float) -> None:
        """An answer goes to whoever waits for it, a request to the application."""
        header, frame = event.header, event.frame
        if header.flags & FLAG_REQUEST:
            self._inbound.receive(connection, header, frame, now, busy=event.busy)
            return
        future = self._pending.get(header.hop_by_hop)
        if future is not None and not future.done():
            future.set_result((header, frame))

    def shed(self, connection: Connection, event: Shed, now: float) -> None:
        """Requests that came faster than they are answered."""
        connection.send_refusals(self._inbound.refuse(connection.identity, event.requests, now))

    def happened(self, connection: Connection, event: Event, now: float) -> None:  # noqa: ARG002  (transport.Owner's signature)
        """The connection is open, or at its end."""
        if isinstance(event, Opened):
            self.capabilities = event.capabilities
            connection.identity = event.capabilities.origin_host
            connection.relay = True  # what we dial may be a DRA
            self.connects += 1
            self._up.set()
        elif isinstance(event, Closed):
            self._up.clear()
            self.last_failure = event.detail or event.reason.value
            for future in self._pending.values():
                if not future.done():
                    future.set_exception(Unanswered(f"the connection has ended: {self.last_failure}"))

    def gone(self, connection: Connection, detail: str) -> None:  # noqa: ARG002  (transport.Owner's signature)
        """Nothing is left of the connection."""
        self._connection = None
        self._up.clear()
        self._down.set()

    # Inside

    def _local(self, addresses: tuple[bytes, ...] = ()) -> LocalNode:
        return LocalNode(self._identity, addresses, {CREDIT_CONTROL_APPLICATION: 0})

    async def _keep_up(self) -> None:
        while True:
            self._down.clear()
            await self._dial()
            await self._down.wait()
            await asyncio.sleep(REDIAL_SECONDS * (1 + self._random()))

    async def _dial(self) -> None:
        peer = Peer(
            Role.INITIATOR,
            self._local(),
            self._limits,
            end_to_end=self._end_to_end,
            hop_by_hop=int(self._random() * (1 << 32)),
            watchdog=self._watchdog,
        )
        connection = self._connection = Connection(self, peer, self._limits, self._clock)
        try:
            async with asyncio.timeout(self._limits.connect_deadline):
                await asyncio.get_running_loop().create_connection(lambda: connection, *self._address)
        except (OSError, TimeoutError) as error:
            connection.fail(str(error) or "no answer in time")


def _ignore(_event: object) -> None:
    """A refused request needs no telling."""
