"""What the gateway and the process of its write lane say to each other: one ordered stream each way (decision 038).

A frame is its length in four octets, then a message in MessagePack. Both ends are one program: no version is told.
"""

import socket
import struct
from typing import Any, Final, Generic, TypeVar

import msgspec

from gateway.store.files import Identity
from gateway.store.lane import BatchTimes, LaneCounters
from gateway.store.nodes import Node
from gateway.store.recovery.changes import Changes
from gateway.store.unit_codec import Failure, decoder, encode

AnyUnit = TypeVar("AnyUnit")
_LENGTH: Final = struct.Struct("!I")
BUFFER: Final = 1 << 20
"""Octets that the system keeps for each direction, if it lets us: some thousand units."""


class Message(msgspec.Struct, array_like=True, tag=True):
    """The base of them."""


# To the lane


class Begin(Message):
    """The first message: what the lane works on, and by which settings; a descriptor of the store's lock comes with it.

    Attributes:
        resumed: a lane has worked for this node before, since the gateway was started.
        label: what a server's administrator, and an adopter, find the lane's connection by.
        files: the store's file as it was when the gateway was started, where it is a file.
        keys: the gateway's master key.
        evidence: the key of evidence, derived from it.
        settings: as for `Prepare`.
        lends: as if `Lend` had come.
    """

    url: str
    label: str
    node: Node
    resumed: bool
    lease: float
    files: Identity | None
    keys: bytes
    evidence: bytes
    settings: bytes
    lends: bool


class Units(Message, Generic[AnyUnit]):
    """Units in their order: the number of each, until when it may begin (CLOCK_MONOTONIC, which is one for all), itself."""

    posted: list[tuple[int, float, AnyUnit]]


class Tick(Message):
    """Give up what is over, and say how things stand."""


class Prepare(Message):
    """Make ready to go by other settings; answered by `Prepared`. `settings` are pickled: none but these two can write here."""

    number: int
    settings: bytes


class Use(Message):
    """Go by what was prepared from the next batch on."""

    number: int


class Lend(Message):
    """Say from now on what is committed, whenever `TakeChanges` asks for it: for a continuous backup."""


class SnapshotOpened(Message):
    """The lane may go on: a snapshot is open; or what is wrong."""

    problem: str


class Lost(Message):
    """The gateway has found that the store is no longer what it was."""

    error: Failure


class LockRenewed(Message):
    """The lock of the store is held; or why it is not."""

    error: Failure | None


class Finish(Message):
    """Nothing follows: commit what waits, and end."""


# From the lane


class Standing(Message):
    """How the lane does; answers `Tick`, and is part of `Outcomes`.

    Attributes:
        renewed: when the latest transaction that was committed had asked for the lease (CLOCK_MONOTONIC).
    """

    counters: LaneCounters
    in_trouble: bool
    renewed: float | None


class Ready(Message):
    """Units may come."""


class Outcomes(Message):
    """What became of units: the number of each, which of its answers it is (`unit_codec`), and that answer."""

    settled: list[tuple[int, int, msgspec.Raw]]
    times: list[BatchTimes]
    standing: Standing
    sent: float
    """When, by CLOCK_MONOTONIC."""


class Alarm(Message):
    """An event that the lane tells of."""

    event: str
    detail: str


class Found(Message):
    """The lane has found that the store is no longer what it was."""

    error: Failure


class RenewLock(Message):
    """The lane is about to connect: is the lock still held?"""


class Prepared(Message):
    """Whether the lane is ready for other settings: empty, or what is wrong with them."""

    number: int
    problem: str


class Looked(Message):
    """What was committed since the last look; `last`: nothing follows."""

    changes: Changes
    last: bool


class OpenSnapshot(Message):
    """A whole copy begins: a snapshot is to be opened, and nothing is committed until it is."""


FromLane = Looked | OpenSnapshot | Ready | Outcomes | Standing | Alarm | Found | RenewLock | Prepared


class Frames:
    """Octets of a stream, taken apart into messages."""

    def __init__(self, kinds: Any) -> None:  # noqa: ANN401  (a union of types)
        """Take the kinds of messages that may come."""
        self._decode = decoder(kinds).decode
        self._rest = bytearray()

    def feed(self, octets: bytes) -> list[Any]:
        """Take what was read, and give the messages that are complete."""
        rest, found, begin = self._rest, [], 0
        rest += octets
        while len(rest) - begin >= _LENGTH.size:
            end = begin + _LENGTH.size + _LENGTH.unpack_from(rest, begin)[0]
            if len(rest) < end:
                break
            found.append(self._decode(bytes(rest[begin + _LENGTH.size : end])))
            begin = end
        del rest[:begin]
        return found


def frame(message: Message) -> bytes:
    """Write a message as it goes over the stream."""
    octets = encode(message)
    return _LENGTH.pack(len(octets)) + octets


def socket_pair() -> tuple[socket.socket, socket.socket]:
    """Make the stream: the gateway's end, and the lane's."""
    pair = socket.socketpair()
    for each in pair:
        each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    return pair
