"""What a connection to a peer has to tell its owner."""

import msgspec

from protocols.diameter.capabilities import Capabilities
from protocols.diameter.codec import Header
from protocols.diameter.transitions import CloseReason, DisconnectCause


class CapabilitiesRequested(msgspec.Struct, frozen=True):
    """A CER has come; call `accept` or `refuse`."""

    capabilities: Capabilities


class Opened(msgspec.Struct, frozen=True):
    """Messages may flow."""

    capabilities: Capabilities


class Received(msgspec.Struct, frozen=True):
    """A whole message that is not of the base protocol's own; `busy`: a request that came when we take none."""

    header: Header
    frame: bytes
    busy: bool = False


class Shed(msgspec.Struct, frozen=True):
    """Requests that came when the peer sends more than is done: to be refused at the least cost, owed to nobody."""

    requests: list[tuple[Header, bytes]]


class Suspected(msgspec.Struct, frozen=True):
    """RFC 3539 Failover(): what is pending should go to another peer."""


class Recovered(msgspec.Struct, frozen=True):
    """RFC 3539 Failback(): the peer may be preferred again."""


class StateIdRaised(msgspec.Struct, frozen=True):
    """The peer says on an open connection that it has lost its sessions (RFC 6733 §8.16)."""

    origin_state_id: int


class ProbeAnswered(msgspec.Struct, frozen=True):
    """The connection that was probed is alive."""


class MessageRefused(msgspec.Struct, frozen=True):
    """A message of the base protocol could not be read, and was answered with an error; `message` is what came."""

    command_code: int
    result_code: int
    reason: str
    message: bytes = b""


class Closed(msgspec.Struct, frozen=True):
    """The connection is to be closed once `data_to_send` has been sent; nothing follows this.

    Attributes:
        detail: for people; an error of the peer, a result code.
        cause: of the DPR that ended it, theirs or ours.
        was_open: whether the capabilities had been exchanged.
        message: what could not be read of the stream, MAX_UNDECODABLE octets at most.
    """

    reason: CloseReason
    detail: str = ""
    cause: DisconnectCause | None = None
    was_open: bool = False
    message: bytes = b""


Event = (
    CapabilitiesRequested
    | Opened
    | Received
    | Shed
    | Suspected
    | Recovered
    | StateIdRaised
    | ProbeAnswered
    | MessageRefused
    | Closed
)
