"""One stream transport (TCP or TLS) under one session: reads with back-pressure, writes once a tick of the loop, one timer.

The protocols' connections derive from `Stream`. No task is made for a message: octets go to the pure session, and what it has
to send is gathered until the end of the tick. A peer that does not read is not read from; one that goes on so is cut off.
A peer that sends more than is handled is not read from, either: its own flow control slows it down, and each of the others
has its turn.
"""

import asyncio
import ssl
from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Final, Generic, TypeVar, cast

from protocols.limits import StreamLimits
from protocols.network import SOCKETS, Accepted, Network
from protocols.stream_session import StreamSession
from protocols.tap import NOWHERE, Captured, Tap, endpoint

S = TypeVar("S", bound=StreamSession[Any, Any])
_TURNS_IN_A_ROW: Final = 4
"""Turns that a peer has as soon as all others have had theirs..."""
_REST: Final = 4
"""... after that it waits so many times as long as each turn took."""


class Stream(asyncio.Protocol, Generic[S]):
    """One transport connection, with its session.

    A subclass says what its owner is told: `pump` hands over what the session has to tell, and ends with `_follow_up`.
    """

    protocol: ClassVar[str]
    """As a tap calls it."""
    sending_moves_deadline: ClassVar[bool]
    """Whether a request that goes out may have a deadline before the one that the timer is set to."""

    def __init__(
        self, session: S, limits: StreamLimits, clock: Callable[[], float], network: Network = SOCKETS
    ) -> None:
        self.session = session
        self.local = self.remote = NOWHERE
        self._making: asyncio.Task[None] | None = None
        """What dials, or does the handshake of TLS, until the transport is there."""
        self._unclaimed: Accepted | None = None
        """An accepted connection that `_making` has not taken yet."""
        self._tap: Tap | None = None
        self._stream_limits = limits
        self._clock, self._network = clock, network
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._flush_due = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._stall: asyncio.TimerHandle | None = None
        self._linger: asyncio.TimerHandle | None = None
        self._turn: asyncio.Handle | None = None
        """The next turn of this peer, while messages of it wait."""
        self._turns, self._rest, self._rests = 0, 0.0, False
        """How many turns it has had in a row, how long it rests where they are many, and whether it does."""
        self._reading, self._behind = True, False
        self._gone = False
        self.finished = asyncio.Event()
        """Nothing is left of the connection, and the owner knows."""

    # What a subclass says

    @abstractmethod
    def pump(self, now: float) -> None:
        """Report to the owner what happened, send what there is to send, set the timer."""

    @abstractmethod
    def _made(self, transport: asyncio.Transport) -> None:
        """The transport is there, and `local` and `remote` are known; the session does not know yet."""

    @abstractmethod
    def _tap_name(self) -> str:
        """Whom a tap is told the messages are of: the link, or the peer."""

    @abstractmethod
    def _slow_reader(self) -> None:
        """Cut off a peer that does not read."""

    @abstractmethod
    def _lost(self, detail: str) -> None:
        """Report to the owner that nothing is left of the connection."""

    # What the owner calls

    def dial(self, host: str, port: int, tls: ssl.SSLContext | None, server_hostname: str, deadline: float) -> None:
        """Begin to connect, within `deadline` seconds, TLS included: to a certificate of `server_hostname`."""
        self._making = self._loop.create_task(self._dial(host, port, tls, server_hostname if tls else None, deadline))

    def take(self, accepted: Accepted, tls: ssl.SSLContext | None) -> None:
        """Begin with an accepted connection; whoever accepted it ends a TLS handshake that lasts too long."""
        self._unclaimed = accepted
        self._making = self._loop.create_task(self._take(accepted, tls))

    def set_tap(self, tap: Tap | None) -> None:
        """Pass each message to a tap from now on; None ends it."""
        self._tap = tap
        self.session.tap = None if tap is None else self._capture

    def flush_soon(self) -> None:
        """Send at the end of this tick of the loop what has been gathered until then."""
        if not self._flush_due:
            self._flush_due = True
            self._loop.call_soon(self._flush)

    def fail(self, detail: str) -> None:
        """The connection could not be made."""
        self._end(detail)

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there, TLS included."""
        self._transport = stream = cast("asyncio.Transport", transport)
        stream.set_write_buffer_limits(high=self._stream_limits.write_high_water)
        self.local = endpoint(stream.get_extra_info("sockname"))
        self.remote = endpoint(stream.get_extra_info("peername"))
        self._made(stream)
        if self._gone:  # given up while it was being made
            self._drop()
            return
        now = self._clock()
        self.session.connected(now)
        self.pump(now)

    def data_received(self, data: bytes) -> None:
        """Octets have come: all whole messages in them are handled now."""
        now = self._clock()
        self.session.receive(data, now)
        self.pump(now)

    def eof_received(self) -> None:
        """The peer will send no more; a session is of no use in one direction."""

    def pause_writing(self) -> None:
        """The peer does not read what we send: we neither send nor read, for a while."""
        if self._transport is None or self._transport.is_closing():
            return
        self.session.pause()
        if self._stall is None:
            self._stall = self._loop.call_later(self._stream_limits.write_deadline, self._cut_slow_reader)
        self._switch_reading()

    def resume_writing(self) -> None:
        """The peer reads again."""
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
        self._switch_reading()
        now = self._clock()
        self.session.resume(now)
        self.pump(now)

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is gone."""
        self._end("" if exc is None else str(exc) or type(exc).__name__)

    # Inside

    async def _dial(
        self, host: str, port: int, tls: ssl.SSLContext | None, server_hostname: str | None, deadline: float
    ) -> None:
        try:
            async with asyncio.timeout(deadline):
                await self._network.connect(self, host, port, tls, server_hostname)
        except (OSError, TimeoutError, ValueError) as error:  # ssl.SSLError is an OSError; ValueError: no host name
            self.fail(str(error) or "no answer in time")

    async def _take(self, accepted: Accepted, tls: ssl.SSLContext | None) -> None:
        self._unclaimed = None
        try:
            await self._network.take(self, accepted, tls)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            self.fail(f"TLS: {error}")

    def _capture(self, outgoing: bool, message: bytes) -> None:  # noqa: FBT001 - see FrameTap
        if self._tap is not None:
            self._tap(Captured(self.protocol, self._tap_name(), self.local, self.remote, outgoing, message))

    def _follow_up(self, now: float, ended: bool) -> None:  # noqa: FBT001 - once a read, without keywords' cost
        """Do what comes after a session was listened to: close its transport, or send and set the timer."""
        if ended:
            self._close()
        elif not self.session.closed:
            if self.session.has_output:
                self.flush_soon()
            if self._behind or self.session.unhandled:
                self._pace()
            self._arm(now)

    def _pace(self) -> None:
        """Handle what waits in a later turn, and leave unread what else the peer sends where too much of it waits.

        It waits here, and not in the peer's connection, since only here it is known for how long. A peer that is many turns
        behind, which no number of requests in work explains, has a fifth of the time at most, and so has one that is refused.
        """
        session, loop = self.session, self._loop
        unhandled, full = session.unhandled, session.full
        if not unhandled or full or session.outstanding >= self._stream_limits.messages_per_turn // 2:
            self._turns = 0
        rests = full or self._turns >= _TURNS_IN_A_ROW  # what is handled while it is full, is refused
        most = self._stream_limits.waiting_octets
        self._behind = session.waiting_octets > (most // 2 if self._behind else most)
        self._switch_reading()
        if self._turn is not None and self._rests and not rests:  # there is room again
            self._turn.cancel()
            self._turn = None
        if unhandled and not session.blocked and self._turn is None and self._stall is None:
            self._rests = rests
            self._turn = loop.call_later(self._rest, self._proceed) if rests else loop.call_soon(self._proceed)

    def _proceed(self) -> None:
        """One turn of a peer whose messages wait."""
        self._turn = None
        if self._gone or self._stall is not None:
            return
        now = self._clock()
        self.session.proceed(now)
        self.pump(now)
        self._turns += 1
        self._rest = _REST * (self._clock() - now)

    def _switch_reading(self) -> None:
        """Read what the peer sends, unless it does not read either, or too much of it waits already."""
        reading, transport = self._stall is None and not self._behind, self._transport
        if reading is self._reading or transport is None or transport.is_closing():
            return
        self._reading = reading
        if reading:
            self.session.resume_reading(self._clock())
            transport.resume_reading()
        else:
            self.session.stop_reading()
            transport.pause_reading()

    def _flush(self) -> None:
        self._flush_due = False
        transport = self._transport
        if transport is None or transport.is_closing() or not self.session.has_output:
            return
        transport.write(self.session.data_to_send())
        if transport.get_write_buffer_size() > self._stream_limits.write_buffer:
            self._cut_slow_reader()
            return
        if self._behind or self.session.unhandled:  # what was answered may have made room
            self._pace()
        if (self._timer is None or self.sending_moves_deadline) and not self.session.closed:
            self._arm(self._clock())

    def _cut_slow_reader(self) -> None:
        self._stall = None
        self._slow_reader()

    def _arm(self, now: float) -> None:
        """Let the timer ring not later than the session's deadline; one that rings too early is set again."""
        deadline = self.session.deadline()
        if deadline is None or (self._timer is not None and self._timer_at <= deadline):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = deadline
        self._timer = self._loop.call_later(max(0.0, deadline - now), self._ring)

    def _ring(self) -> None:
        self._timer = None
        now = self._clock()
        self.session.on_timer(now)
        self.pump(now)

    def _close(self) -> None:
        """Send the last words, then close; a peer that does not take them is cut off."""
        if self._gone:
            return
        transport = self._transport
        if transport is None:
            self._drop()
            return
        if transport.is_closing():
            return
        last = self.session.data_to_send()
        if last:
            transport.write(last)
        transport.close()
        if self._linger is None:
            self._linger = self._loop.call_later(self._stream_limits.closing_deadline, self._drop)

    def _drop(self, detail: str = "") -> None:
        """End without waiting for anything."""
        if self._transport is not None:
            self._transport.abort()
            return
        if self._making is not None:
            self._making.cancel()
        if self._unclaimed is not None:
            self._unclaimed.close()
        self._end(detail)

    def _end(self, detail: str) -> None:
        """Forget everything; may be called again."""
        if self._gone:
            return
        self._gone = True
        for timer in (self._timer, self._stall, self._linger, self._turn):
            if timer is not None:
                timer.cancel()
        now = self._clock()
        self.session.connection_lost(now, detail)
        self.pump(now)
        self._lost(detail)
        self.finished.set()


W = TypeVar("W", bound=Stream[Any])


def patience(deadline: float) -> float:
    """How many of the seconds to leave in are for what is still owed; the rest is for the last words."""
    return deadline * 0.75


async def wait_finished(connections: Iterable[W], deadline: float, evict: Callable[[W], None]) -> None:
    """Wait for the end of connections that have been told to leave; evict what still stands after `deadline` seconds."""
    leaving = list(connections)
    try:
        async with asyncio.timeout(deadline):
            for connection in leaving:
                await connection.finished.wait()
    except TimeoutError:
        for connection in leaving:
            if not connection.finished.is_set():
                evict(connection)
        await asyncio.sleep(0)  # the transports tell of their end in the next tick
