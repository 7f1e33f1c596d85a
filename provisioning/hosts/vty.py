"""Osmocom's VTY: the command line of a network element over telnet, driven one command at a time.

What comes back is what people read: an echo of the command, perhaps some lines, and the prompt again (`OsmoHLR> `, and
`OsmoHLR# ` once enabled). Success and failure look alike, so nobody should decide by the words; only a command line that the
element does not know is told apart. Telnet's own commands are taken out (RFC 854; seen with osmo-hlr 1.5).
"""

import asyncio
import re
from enum import Enum, auto
from typing import Final

from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.tap import NOWHERE, Tap
from provisioning.errors import HostUnavailable
from provisioning.hosts.connection import Address, Connection, Turn
from provisioning.hosts.wire_tap import WireTap

_LIMIT: Final = 32_768
"""Characters between two prompts."""
_LIST_LIMIT: Final = 128 << 20
"""The same where an element lists all that it has: over a million subscribers."""
_LIST_SECONDS: Final = 600.0
"""How long such a list may take in all: other commands wait for it."""
_PROMPT: Final = re.compile(r"(?:\A|[\r\n])[\w.-]{1,64}([>#]) \Z")
_PROMPT_LIMIT: Final = 80
_COMMAND: Final = re.compile(r"[a-z0-9+ -]{1,200}")
"""No line end, and no `?` or tab, which a VTY answers at once."""
_UNKNOWN: Final = re.compile(
    r"^% (?:Unknown command|Ambiguous command|Command incomplete|There is no matched command)", re.MULTILINE
)
_ENABLED: Final = "#"
_IAC: Final = 0xFF
_SUBNEGOTIATION, _SUBNEGOTIATION_END = 0xFA, 0xF0
_OPTIONS: Final = range(0xFB, 0xFF)
"""WILL, WONT, DO, DONT: an octet follows that says which option."""


class VtyInvalid(RemoteProtocolError):
    """What came is no answer to a command."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "vty.invalid")


class CommandUnknown(Exception):
    """The element does not know the command line: it is of another version, or another element."""


class _Within(Enum):
    """What the next octet belongs to (RFC 854, RFC 855)."""

    TEXT = auto()
    COMMAND = auto()
    OPTION = auto()
    SUBNEGOTIATION = auto()
    SUBNEGOTIATION_COMMAND = auto()


class Telnet:
    """Text out of a telnet stream, however its octets are cut."""

    def __init__(self) -> None:
        self._within = _Within.TEXT

    def receive(self, data: bytes) -> str:
        """Return the text; the peer's commands and offers are passed over without an answer."""
        if self._within is _Within.TEXT and _IAC not in data:
            return data.decode("latin-1")
        text = bytearray()
        for octet in data:
            if self._within is _Within.TEXT and octet != _IAC:
                text.append(octet)
            else:
                literal = self._within is _Within.COMMAND and octet == _IAC
                text += bytes((_IAC,)) * literal
                self._within = self._next(octet)
        return text.decode("latin-1")

    def _next(self, octet: int) -> _Within:
        match self._within:
            case _Within.TEXT:
                return _Within.COMMAND
            case _Within.COMMAND if octet in _OPTIONS:
                return _Within.OPTION
            case _Within.COMMAND if octet == _SUBNEGOTIATION:
                return _Within.SUBNEGOTIATION
            case _Within.SUBNEGOTIATION:
                return _Within.SUBNEGOTIATION_COMMAND if octet == _IAC else _Within.SUBNEGOTIATION
            case _Within.SUBNEGOTIATION_COMMAND if octet != _SUBNEGOTIATION_END:
                return _Within.SUBNEGOTIATION
            case _:
                return _Within.TEXT


class Screen:
    """What an element has printed since its last prompt."""

    def __init__(self) -> None:
        self._telnet = Telnet()
        self._text = ""
        self.limit = _LIMIT

    def receive(self, data: bytes) -> tuple[str, str] | None:
        """Return what was printed and the prompt's sign (`>` or `#`) once the prompt is there; VtyInvalid past the limit."""
        self._text += self._telnet.receive(data)
        if len(self._text) > self.limit:
            raise VtyInvalid(f"it printed more than {self.limit} characters")
        prompt = _PROMPT.search(self._text[-_PROMPT_LIMIT:])
        if prompt is None:
            return None
        printed, self._text = self._text, ""
        return printed, prompt[1]


class VtyClient:
    """Types into one element's VTY; a call waits for the one before.

    A command whose prompt does not come back ends the connection: nobody knows what the element did. There is no
    password and no TLS: loopback or a tunnel only.

    Args:
        timeout: seconds for the connection and the greeting, and again for each command.
    """

    def __init__(self, address: Address, *, timeout: float) -> None:
        self._address = address
        self._name = f"VTY at {address[0]}:{address[1]}"
        self._timeout = timeout
        self._turn = Turn()
        self._wire_tap = WireTap("vty")
        self._current: _Terminal | None = None

    async def command(self, line: str) -> None:
        """Run a command and wait for the prompt; CommandUnknown or HostUnavailable."""
        await self._run(line, _LIMIT)

    async def listing(self, line: str) -> str:
        """Run a command that prints much, and give that; CommandUnknown or HostUnavailable.

        It may take ten minutes while it prints.
        """
        return await self._run(line, _LIST_LIMIT)

    async def _run(self, line: str, limit: int) -> str:
        if not _COMMAND.fullmatch(line):
            raise LocalProtocolError("not a command line", "vty.command")
        async with self._turn.taken():
            terminal = await self._enabled()
            printed, _ = await terminal.type(line, limit)
        if _UNKNOWN.search(printed[:_LIMIT]):
            raise CommandUnknown
        return printed

    def set_tap(self, tap: Tap | None, name: str) -> None:
        """Pass each line that is typed, and what is printed up to the prompt, to a tap under the host's name; None ends it."""
        self._wire_tap.set_tap(tap, name)

    async def close(self) -> None:
        """Let go of the connection; a later command dials again."""
        if self._current is not None:
            self._current.end("we closed the connection")

    async def _enabled(self) -> "_Terminal":
        if self._current is None or not self._current.open:
            self._current = _Terminal(self._name, self._timeout, self._wire_tap)
            await self._current.dial(self._address)
            _, sign = await self._current.type("enable", _LIMIT)
            if sign != _ENABLED:
                self._current.end("it does not let us enable")
                raise HostUnavailable(f"{self._name}: it does not let us enable")
        return self._current


class _Terminal:
    """One connection: what is typed, and what is printed until the next prompt."""

    def __init__(self, name: str, timeout: float, wire_tap: WireTap) -> None:
        self._name, self._timeout, self._wire_tap = name, timeout, wire_tap
        self._screen = Screen()
        self._answer: asyncio.Future[tuple[str, str]] | None = None
        self._patience: asyncio.Timeout | None = None
        self._until = 0.0
        self._connection: Connection | None = None

    @property
    def open(self) -> bool:
        """Whether a command can be typed."""
        return self._connection is not None and self._connection.open

    async def dial(self, address: Address) -> None:
        """Connect and wait for the first prompt; HostUnavailable."""
        answer = self._expect()
        self._connection = await Connection.dial(address, self._received, self._lost, self._timeout)
        await self._prompted(answer)

    async def type(self, line: str, limit: int) -> tuple[str, str]:
        """Return what was printed, and the sign of the prompt; HostUnavailable."""
        answer = self._expect()
        self._screen.limit = limit
        self._until = asyncio.get_running_loop().time() + _LIST_SECONDS
        if self._connection is not None:
            data = line.encode("ascii") + b"\n"
            self._hear(data, outgoing=True)
            self._connection.write(data)
        return await self._prompted(answer)

    def end(self, reason: str) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.end(reason)

    def _expect(self) -> asyncio.Future[tuple[str, str]]:
        self._answer = asyncio.get_running_loop().create_future()
        return self._answer

    async def _prompted(self, answer: asyncio.Future[tuple[str, str]]) -> tuple[str, str]:
        try:
            async with asyncio.timeout(self._timeout) as self._patience:
                return await answer
        except TimeoutError:
            silent = self._until == 0.0 or asyncio.get_running_loop().time() < self._until
            seconds = self._timeout if silent else _LIST_SECONDS
            reason = f"its prompt did not come back in {seconds:g} s"
            raise HostUnavailable(f"{self._name}: {reason}") from None
        finally:
            self._answer = None
            if (
                answer.cancelled()
            ):  # out of time, or the caller is: the next prompt would be taken for another command's
                self.end("a command was not waited for")

    def _received(self, data: bytes) -> None:
        if self._answer is None or self._answer.done():
            raise VtyInvalid("it printed something unasked")
        if self._screen.limit > _LIMIT and self._patience is not None and not self._patience.expired():
            self._patience.reschedule(min(asyncio.get_running_loop().time() + self._timeout, self._until))
        printed = self._screen.receive(data)
        if printed is not None:
            self._hear(printed[0].encode("latin-1"), outgoing=False)
            self._answer.set_result(printed)

    def _hear(self, message: bytes, *, outgoing: bool) -> None:
        connection = self._connection
        if self._wire_tap.open:
            # The greeting may come before `dial` has the connection in hand: it has no endpoints then.
            ends = (NOWHERE, NOWHERE) if connection is None else (connection.local, connection.remote)
            self._wire_tap.record(message, outgoing=outgoing, local=ends[0], remote=ends[1])

    def _lost(self, reason: str) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(HostUnavailable(f"{self._name}: {reason}"))
