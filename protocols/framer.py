"""Cuts a stream of octets into whole messages, without trusting it: what the codecs' framers share."""

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from protocols.errors import RemoteProtocolError

ErrorT = TypeVar("ErrorT", bound=RemoteProtocolError)


class StreamFramer(ABC, Generic[ErrorT]):
    """A buffer of the octets whose message is not whole yet.

    It holds less than one message, and looks at each octet a bounded number of times however the stream is cut. After
    a bad length it is of no more use: `error` says why, and the rest is dropped. The messages in front of the bad one
    are still given.
    """

    def __init__(self) -> None:
        self.error: ErrorT | None = None
        self._held = bytearray()

    @property
    def pending(self) -> int:
        """Octets of a message that has begun and is not whole yet."""
        return len(self._held)

    def feed(self, data: bytes) -> list[bytes]:
        """Take octets as they came; returns the messages that became whole, in order."""
        if self.error is not None:
            return []
        if self._held:
            self._held += data
            frames, position = self._cut(self._held)
            del self._held[:position]
            return frames
        frames, position = self._cut(data)
        if position < len(data):
            self._held += data[position:]
        return frames

    @abstractmethod
    def _cut(self, data: bytes | bytearray) -> tuple[list[bytes], int]:
        """Whole messages at the front of `data`, and how many octets are done with: all, once `error` is set."""
