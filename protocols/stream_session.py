"""One session on a stream of octets, without its connection: what the sessions of all protocols share.

The owner of the connection hands in octets (`receive`) and time (`on_timer`, due at `deadline`; times are seconds of the
owner's clock), and takes octets (`data_to_send`) and what happened (`events`).
"""

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from protocols.errors import RemoteProtocolError
from protocols.framer import StreamFramer
from protocols.tap import MAX_UNDECODABLE, FrameTap

ErrorT = TypeVar("ErrorT", bound=RemoteProtocolError)
EventT = TypeVar("EventT")


class StreamSession(ABC, Generic[ErrorT, EventT]):
    """The octets on their way in and out, the message that is still arriving, and the events for the owner.

    Args:
        message_deadline: seconds from the first octet of a message to its last.
    """

    def __init__(self, framer: StreamFramer[ErrorT], message_deadline: float) -> None:
        self.tap: FrameTap | None = None
        """Is told of each whole message, before it is read or when it is handed out; it must not raise."""
        self._framer = framer
        self._out: list[bytes] = []
        self._events: list[EventT] = []
        self._deadline: float | None = None
        """Of the state that the session is in."""
        self._message_deadline = message_deadline
        self._message_due: float | None = None
        """When the message that is arriving must be whole; None while nothing is read."""
        self._paused = False

    @property
    @abstractmethod
    def closed(self) -> bool:
        """Nothing more will happen here (a session that is not connected yet may be so, too)."""

    @property
    def has_output(self) -> bool:
        """`data_to_send` would return something."""
        return bool(self._out)

    @abstractmethod
    def connected(self, now: float) -> None:
        """The transport is there, TLS included."""

    @abstractmethod
    def connection_lost(self, now: float, detail: str = "") -> None:
        """The transport is gone, or never came about."""

    def receive(self, data: bytes, now: float) -> None:
        """Octets have come, cut in any way."""
        if self.closed:
            return
        held = self._framer.pending
        frames = self._framer.feed(data)
        if self.tap is not None:
            for frame in frames:
                self.tap(False, frame)  # noqa: FBT003 - incoming; see FrameTap
        for frame in frames:
            self._receive_frame(frame, now)
            if self.closed:
                return
        if self._framer.error is not None:
            start = max(0, sum(map(len, frames)) - held)
            self._lost_framing(self._framer.error, data[start : start + MAX_UNDECODABLE], now)
            return
        if not self._framer.pending:
            self._message_due = None
        elif (frames or self._message_due is None) and not self._paused:
            self._message_due = now + self._message_deadline
        if frames:
            self._received_frames(now)

    @abstractmethod
    def deadline(self) -> float | None:
        """When `on_timer` wants to be called."""

    @abstractmethod
    def on_timer(self, now: float) -> None:
        """Time has passed; may be called too early."""

    def data_to_send(self) -> bytes:
        """The octets to send now; they are handed out once."""
        if self.tap is not None:
            for message in self._out:
                self.tap(True, message)  # noqa: FBT003 - outgoing
        data = b"".join(self._out)
        self._out.clear()
        return data

    def events(self) -> list[EventT]:
        """What happened since the last call, in order."""
        events, self._events = self._events, []
        return events

    def pause(self) -> None:
        """The peer does not read, so nothing of its is read: a message that cannot arrive is not late."""
        self._paused = True
        self._message_due = None

    def resume(self, now: float) -> None:
        """Reading goes on."""
        self._paused = False
        if self._framer.pending and not self.closed:
            self._message_due = now + self._message_deadline

    # What a protocol adds

    @abstractmethod
    def _receive_frame(self, frame: bytes, now: float) -> None:
        """A whole message has come."""

    @abstractmethod
    def _received_frames(self, now: float) -> None:
        """All whole messages of one read have been received, and the session is not closed."""

    @abstractmethod
    def _lost_framing(self, error: ErrorT, message: bytes, now: float) -> None:
        """The stream cannot be cut any more: end the session. `message` is the start of what could not be read."""
