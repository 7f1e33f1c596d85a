"""One session on a stream of octets, without its connection: what the sessions of all protocols share.

The owner of the connection hands in octets (`receive`) and time (`on_timer`, due at `deadline`; times are seconds of the
owner's clock), and takes octets (`data_to_send`) and what happened (`events`).
"""

from abc import ABC, abstractmethod
from collections import deque
from typing import Final, Generic, TypeVar

from protocols.admission import Admission
from protocols.errors import RemoteProtocolError
from protocols.framer import StreamFramer
from protocols.limits import StreamLimits
from protocols.tap import MAX_UNDECODABLE, FrameTap

ErrorT = TypeVar("ErrorT", bound=RemoteProtocolError)
EventT = TypeVar("EventT")
_REFUSALS: Final = 4
"""Requests that are refused, by octets made before, for each one that is handled: so much more than is done a peer may send
until it is left unread."""


_KEEPING: Final = 64
"""Octets of memory that a message takes while it waits, beside its own: of the smallest ones it is most."""


class StreamSession(ABC, Generic[ErrorT, EventT]):
    """The octets on their way in and out, the message that is still arriving, and the events for the owner.

    Whole messages are handled in the order of their arrival, a turn's worth at once (`messages_per_turn`): while some are
    left (`unhandled`), the owner calls `proceed` after the others have had their turn, unless the session is `blocked`.
    """

    def __init__(self, framer: StreamFramer[ErrorT], limits: StreamLimits) -> None:
        self.tap: FrameTap | None = None
        """Is told of each whole message, before it is read or when it is handed out; it must not raise."""
        self._framer = framer
        self._out: list[bytes] = []
        self._events: list[EventT] = []
        self._deadline: float | None = None
        """Of the state that the session is in."""
        self._admission = Admission(limits)
        self._waiting: deque[bytes] = deque()
        """Whole messages that were not handled yet."""
        self._came: deque[tuple[int, float]] = deque()
        """How many of them came together, and when; of the first ones some may be handled."""
        self._handled_of_first = 0
        self.waiting_octets = 0
        """Of memory that these take."""
        self._fault: tuple[ErrorT, bytes] | None = None
        """What is behind them, where the stream cannot be cut any more."""
        self._messages_per_turn = limits.messages_per_turn
        self._overload_deadline, self._most_waiting = limits.overload_deadline, limits.waiting_octets
        self._message_deadline = limits.message_deadline
        self._message_due: float | None = None
        """When the message that is arriving must be whole; None while nothing is read."""
        self._paused = self._unread = False

    @property
    def outstanding(self) -> int:
        """Requests of the peer that have not been answered."""
        return self._admission.outstanding

    @property
    def unhandled(self) -> int:
        """Whole messages that have come and are not handled yet."""
        return len(self._waiting)

    @property
    def blocked(self) -> bool:
        """The peer has as many requests in work as it may have: nothing more of it is handled for now."""
        admission = self._admission
        return admission.full and not admission.shedding and self._takes_requests

    @property
    def full(self) -> bool:
        """The peer has as many requests in work as it may have; what comes beyond them waits, or is refused."""
        return self._admission.full

    @property
    @abstractmethod
    def _takes_requests(self) -> bool:
        """Neither side is leaving."""

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
        """Octets have come, cut in any way: handle a turn's worth of the messages that are whole.

        While earlier ones wait it is not the peer's turn: they are handled by `proceed`.
        """
        if self.closed:
            return
        held = self._framer.pending
        frames = self._framer.feed(data)
        if self.tap is not None:
            for frame in frames:
                self.tap(False, frame)  # noqa: FBT003 - incoming; see FrameTap
        waited = bool(self._waiting)
        if frames:
            self._waiting.extend(frames)
            self._came.append((len(frames), now))
        self.waiting_octets += sum(map(len, frames)) + _KEEPING * len(frames)
        if self._framer.error is not None and self._fault is None:
            start = max(0, sum(map(len, frames)) - held)
            self._fault = self._framer.error, data[start : start + MAX_UNDECODABLE]
        if not self._framer.pending:
            self._message_due = None
        elif (frames or self._message_due is None) and not self._unread:
            self._message_due = now + self._message_deadline
        if not waited:
            self.proceed(now)

    def proceed(self, now: float) -> None:
        """Handle a turn's worth of the messages that wait, as far as there is room for them."""
        waiting, admission = self._waiting, self._admission
        if waiting and (now >= self._came[0][1] + self._overload_deadline or self.waiting_octets > self._most_waiting):
            admission.shed(now)
        left = turn = self._messages_per_turn
        refusals = most_refused = _REFUSALS * turn
        while waiting and not (admission.full and self.blocked):
            if admission.shedding and refusals and admission.refuses(now - self._came[0][1]):
                refusals -= 1
            elif left and not (admission.full and self._takes_requests):
                admission.refusing = False
                left -= 1
            else:
                break
            frame = self._take_first()
            self._receive_frame(frame, now)
            if self.closed:
                waiting.clear()
                self._came.clear()
                self.waiting_octets = self._handled_of_first = 0
                return
        if self._fault is not None and not waiting:
            self._lost_framing(*self._fault, now)
        elif left < turn or refusals < most_refused:
            self._received_frames(now)

    def _take_first(self) -> bytes:
        frame = self._waiting.popleft()
        self.waiting_octets -= len(frame) + _KEEPING
        self._handled_of_first += 1
        if self._handled_of_first == self._came[0][0]:
            self._came.popleft()
            self._handled_of_first = 0
        return frame

    @property
    def _overload_due(self) -> float | None:
        """When what waits for room has waited for too long; None while nothing does."""
        return self._came[0][1] + self._overload_deadline if self._waiting and self.blocked else None

    def _shed_overdue(self, now: float) -> None:
        """Time has passed: refuse what has waited for room too long."""
        due = self._overload_due
        if due is not None and now >= due:
            self.proceed(now)

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
        """The peer does not read."""
        self._paused = True

    def resume(self, now: float) -> None:  # noqa: ARG002 - a protocol's session needs it
        """The peer reads again."""
        self._paused = False

    def stop_reading(self) -> None:
        """What the peer sends is left unread: a message that cannot arrive is not late."""
        self._unread = True
        self._message_due = None

    def resume_reading(self, now: float) -> None:
        """Reading goes on."""
        self._unread = False
        if self._framer.pending and not self.closed:
            self._message_due = now + self._message_deadline

    # What a protocol adds

    @abstractmethod
    def _receive_frame(self, frame: bytes, now: float) -> None:
        """A whole message has come."""

    @abstractmethod
    def _received_frames(self, now: float) -> None:
        """A turn's messages have been received, and the session is not closed."""

    @abstractmethod
    def _lost_framing(self, error: ErrorT, message: bytes, now: float) -> None:
        """The stream cannot be cut any more: end the session. `message` is the start of what could not be read."""
