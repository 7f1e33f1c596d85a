"""Osmocom's CTRL interface: variables of a network element, read and set by text commands over IPA frames.

A frame is a length of two octets, a protocol octet, and so many octets of payload. Commands and replies travel as protocol
0xEE, extension 0x00, in ASCII: `GET <id> <variable>`, `SET <id> <variable> <value>`; `GET_REPLY` and `SET_REPLY` repeat id and
variable, `ERROR <id> <text>` does not, and bears the id `err` where the element could not even read ours. Replies come
in the order of the commands. IPA's own keepalive is protocol 0xFE: ping 0x00, pong 0x01. (Osmocom "Control interface",
"IPA multiplex"; seen with osmo-hlr 1.5.)
"""

import asyncio
import struct
from enum import StrEnum
from itertools import count
from typing import Final

import msgspec

from protocols.errors import RemoteProtocolError
from protocols.tap import FrameTap, Tap
from provisioning.errors import HostUnavailable
from provisioning.hosts.connection import Address, Connection, Turn
from provisioning.hosts.wire_tap import WireTap

_HEADER: Final = struct.Struct("!HB")
_CCM, _OSMO, _CTRL = 0xFE, 0xEE, 0x00
_PING, _PONG = b"\x00", b"\x01"
_LIMIT: Final = 8192
"""Octets of payload: all that a HLR tells of a subscriber is under 1,000."""
_UNREADABLE: Final = "err"


class Verb(StrEnum):
    """What a reply is."""

    GET_REPLY = "GET_REPLY"
    SET_REPLY = "SET_REPLY"
    ERROR = "ERROR"
    TRAP = "TRAP"


class CtrlInvalid(RemoteProtocolError):
    """Octets that are no CTRL reply, or none to what was asked."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "ctrl.invalid")


class CtrlError(Exception):
    """The element answered ERROR; `reason` is its text, which may hold anything."""

    def __init__(self, reason: str) -> None:
        super().__init__("the element answered ERROR")
        self.reason = reason


class Reply(msgspec.Struct, frozen=True, gc=False):
    """One reply. `text` is what follows the id (ERROR) or the variable; it may hold keys, so it does not print."""

    verb: Verb
    id: str
    variable: str
    text: str

    def __repr__(self) -> str:
        return f"Reply({self.verb}, {self.id})"


def frame(protocol: int, payload: bytes) -> bytes:
    """Put a payload into an IPA frame."""
    return _HEADER.pack(len(payload), protocol) + payload


def command(text: str) -> bytes:
    """Put a command into its frame."""
    return frame(_OSMO, bytes((_CTRL,)) + text.encode("ascii"))


PONG: Final = frame(_CCM, _PONG)


class Decoder:
    """Replies and pings out of octets, however these are cut; `tap` is told each frame as it came."""

    def __init__(self, tap: FrameTap | None = None) -> None:
        self._tap = tap
        self._buffer = bytearray()

    def receive(self, data: bytes) -> list[Reply | None]:
        """Return the replies that are whole by now, and None for each ping; CtrlInvalid ends the connection."""
        self._buffer += data
        found: list[Reply | None] = []
        start = 0
        while len(self._buffer) - start >= _HEADER.size:
            size, protocol = _HEADER.unpack_from(self._buffer, start)
            if size > _LIMIT:
                raise CtrlInvalid(f"it sent a frame of more than {_LIMIT} octets")
            end = start + _HEADER.size + size
            if end > len(self._buffer):
                break
            if self._tap is not None:
                self._tap(False, bytes(self._buffer[start:end]))  # noqa: FBT003  (a FrameTap's form)
            found += _read_frame(protocol, bytes(self._buffer[start + _HEADER.size : end]))
            start = end
        del self._buffer[:start]
        return found


def _read_frame(protocol: int, payload: bytes) -> list[Reply | None]:
    if protocol == _CCM:
        return [None] if payload[:1] == _PING else []
    if protocol != _OSMO or payload[:1] != bytes((_CTRL,)):
        raise CtrlInvalid("it sent a frame that is not CTRL")
    try:
        return [_read_reply(payload[1:].decode("ascii"))]
    except ValueError:
        raise CtrlInvalid("it sent a reply that cannot be read") from None


def _read_reply(text: str) -> Reply:
    name, rest = text.split(" ", 1)
    verb = Verb(name)
    message_id, rest = rest.split(" ", 1)
    if verb is Verb.ERROR:
        return Reply(verb, message_id, "", rest)
    variable, _, value = rest.partition(" ")
    return Reply(verb, message_id, variable, value)


class CtrlClient:
    """Asks one element, many commands at a time over one connection, which is dialled when it is needed.

    A command whose answer does not come ends the connection, and with it all that wait on it: nobody knows any more what
    the element did. There is no authentication and no TLS: loopback or a tunnel only.

    Args:
        timeout: seconds for the connection, and again for the answer.
        window: commands on their way at once; more of them wait.
    """

    def __init__(self, address: Address, *, timeout: float, window: int = 64) -> None:
        self._address = address
        self._name = f"CTRL at {address[0]}:{address[1]}"
        self._timeout = timeout
        self._ids = count(1)
        self._room = asyncio.Semaphore(window)
        self._dialling = Turn()
        self._wire_tap = WireTap("ctrl")
        self._current: _Exchange | None = None

    async def get(self, variable: str) -> str:
        """Read a variable; CtrlError or HostUnavailable."""
        return await self._ask("GET", Verb.GET_REPLY, variable)

    async def set(self, variable: str, value: str) -> str:
        """Set a variable and give the reply to it; CtrlError or HostUnavailable."""
        return await self._ask("SET", Verb.SET_REPLY, variable, value)

    def set_tap(self, tap: Tap | None, name: str) -> None:
        """Pass each frame to a tap under the host's name, keys included; None ends it (interface.Host.set_tap)."""
        self._wire_tap.set_tap(tap, name)

    async def close(self) -> None:
        """Let go of the connection; a later command dials again."""
        if self._current is not None:
            self._current.end("we closed the connection")

    async def _ask(self, verb: str, expected: Verb, variable: str, *value: str) -> str:
        async with self._room:
            exchange = await self._exchange()
            message_id = str(next(self._ids))
            answer = exchange.send(
                message_id, variable, expected, command(" ".join((verb, message_id, variable, *value)))
            )
            try:
                async with asyncio.timeout(self._timeout):
                    reply = await answer
            except TimeoutError:
                reason = f"it did not answer in {self._timeout:g} s"
                exchange.end(reason)
                raise HostUnavailable(f"{self._name}: {reason}") from None
        if reply.verb is Verb.ERROR:
            raise CtrlError(reply.text)
        return reply.text

    async def _exchange(self) -> "_Exchange":
        async with self._dialling.taken():
            if self._current is None or not self._current.open:
                exchange = _Exchange(self._name, self._wire_tap)
                await exchange.dial(self._address, self._timeout)
                self._current = exchange
            return self._current


class _Waiting(msgspec.Struct):
    """A command on its way, and who waits for the answer."""

    variable: str
    expected: Verb
    answer: asyncio.Future[Reply]


class _Exchange:
    """What goes on over one connection: commands by id, in the order of sending."""

    def __init__(self, name: str, wire_tap: WireTap) -> None:
        self._name, self._wire_tap = name, wire_tap
        self._decoder = Decoder(self._hear)
        self._waiting: dict[str, _Waiting] = {}
        self._connection: Connection | None = None

    async def dial(self, address: Address, patience: float) -> None:
        """Open the connection, or raise HostUnavailable."""
        self._connection = await Connection.dial(address, self._received, self._lost, patience)

    @property
    def open(self) -> bool:
        """Whether commands can be sent."""
        return self._connection is not None and self._connection.open

    def send(self, message_id: str, variable: str, expected: Verb, data: bytes) -> asyncio.Future[Reply]:
        """Send a command; the future is the answer, or HostUnavailable."""
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[message_id] = _Waiting(variable, expected, answer)
        self._write(data)
        return answer

    def end(self, reason: str) -> None:
        """Close, and tell all who wait."""
        if self._connection is not None:
            self._connection.end(reason)

    def _received(self, data: bytes) -> None:
        for reply in self._decoder.receive(data):
            if reply is None:
                self._write(PONG)
            elif reply.verb is not Verb.TRAP:
                self._settle(reply)

    def _write(self, data: bytes) -> None:
        if self._connection is not None:
            self._hear(True, data)  # noqa: FBT003  (a FrameTap's form)
            self._connection.write(data)

    def _hear(self, outgoing: bool, message: bytes) -> None:  # noqa: FBT001  (as above)
        if self._wire_tap.open and self._connection is not None:
            connection = self._connection
            self._wire_tap.record(message, outgoing=outgoing, local=connection.local, remote=connection.remote)

    def _settle(self, reply: Reply) -> None:
        # `err` names nobody, but answers come in order: it is the oldest one's.
        unreadable = reply.verb is Verb.ERROR and reply.id == _UNREADABLE
        message_id = next(iter(self._waiting), "") if unreadable else reply.id
        waiting = self._waiting.pop(message_id, None)
        if waiting is None:
            raise CtrlInvalid("it answered what nobody asked")
        if reply.verb is not Verb.ERROR and (reply.verb, reply.variable) != (waiting.expected, waiting.variable):
            self._waiting[message_id] = waiting  # is told with the others when the connection ends
            raise CtrlInvalid("it answered something else than was asked")
        if not waiting.answer.done():  # whoever asked may have been cancelled
            waiting.answer.set_result(reply)

    def _lost(self, reason: str) -> None:
        waiting, self._waiting = self._waiting, {}
        for each in waiting.values():
            if not each.answer.done():
                each.answer.set_exception(HostUnavailable(f"{self._name}: {reason}"))
