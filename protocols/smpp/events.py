"""What a session has to tell its owner."""

from enum import Enum

import msgspec

from protocols.smpp.messages import BindReceiver, Pdu
from protocols.smpp.transitions import CloseReason, SessionState


class Doubt(Enum):
    """Why nobody knows whether the peer has acted on a request."""

    TIMEOUT = "no response in time"
    LOST = "the session ended before the response"


class BindRequested(msgspec.Struct, frozen=True):
    """An ESME wants to bind; call `accept` or `refuse`. The message's class says as what."""

    message: BindReceiver


class Bound(msgspec.Struct, frozen=True):
    """Requests may flow.

    Attributes:
        system_id: the peer's name for itself.
        interface_version: the lower one of both sides; 0x33 where the message centre did not tell its own.
        takes_tlvs: the peer says that it knows TLVs (SMPP 3.4 §3.4). Many that don't say so take them all the same.
    """

    state: SessionState
    system_id: str
    interface_version: int
    takes_tlvs: bool


class BindRefused(msgspec.Struct, frozen=True):
    """The message centre does not want us; `Closed` follows. `needs_a_person`: to try again soon is of no use."""

    command_status: int
    needs_a_person: bool


class Received(msgspec.Struct, frozen=True, gc=False):
    """A request of the peer; call `respond` with the same number once it is done, unless it has no response."""

    sequence_number: int
    message: Pdu


class Responded(msgspec.Struct, frozen=True, gc=False):
    """The peer has answered a request of ours. The status may be an error, a vendor's too.

    Attributes:
        message: the response, a GenericNack if the peer could not read the request.
        elapsed: seconds since the request.
        late: the request was told as doubtful before; now it is not.
    """

    sequence_number: int
    context: object
    command_status: int
    message: Pdu
    elapsed: float
    late: bool


class Throttled(msgspec.Struct, frozen=True, gc=False):
    """The peer did not take a request because it has too many; send it again, before newer ones, from `retry_at` on."""

    sequence_number: int
    context: object
    command_status: int
    retry_at: float
    late: bool


class Doubtful(msgspec.Struct, frozen=True, gc=False):
    """The peer may have acted on a request or not (SMPP 3.4 §7.2); it is not sent again by itself."""

    sequence_number: int
    context: object
    doubt: Doubt


class Ready(msgspec.Struct, frozen=True):
    """There is room for a request again: `room` had said that there is none, or the peer had throttled us."""


class MessageRefused(msgspec.Struct, frozen=True):
    """A request of the peer was answered with an error by the session itself.

    Attributes:
        message: it, if it could not be read.
        leaving: nothing is wrong with it: the session is about to end, and the peer is to send it again by another.
    """

    command_id: int
    command_status: int
    reason: str
    message: bytes = b""
    leaving: bool = False


class Closed(msgspec.Struct, frozen=True):
    """The connection is to be closed once `data_to_send` has been sent; nothing follows this.

    Attributes:
        detail: for people.
        was_bound: whether the session had been bound.
        unanswered: requests of the peer that we still owed a response.
        message: what could not be read of the stream, MAX_UNDECODABLE octets at most.
    """

    reason: CloseReason
    detail: str = ""
    was_bound: bool = False
    unanswered: int = 0
    message: bytes = b""


Event = (
    BindRequested | Bound | BindRefused | Received | Responded | Throttled | Doubtful | Ready | MessageRefused | Closed
)
