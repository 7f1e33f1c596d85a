"""What a link, or a server, tells whoever runs it. They never log."""

import msgspec

from protocols.smpp.transitions import CloseReason, SessionState


class LinkUp(msgspec.Struct, frozen=True):
    """A link of ours is bound. `takes_tlvs` is what the message centre says of itself (SMPP 3.4 §3.4)."""

    name: str
    address: str
    system_id: str
    state: SessionState
    interface_version: int
    takes_tlvs: bool


class LinkDown(msgspec.Struct, frozen=True):
    """A bound link has ended.

    Attributes:
        doubtful: requests of ours that were told as doubtful because of it.
        unanswered: requests of the peer that we still owed a response; it will send them again.
    """

    name: str
    reason: CloseReason
    detail: str
    doubtful: int
    unanswered: int


class ConnectFailed(msgspec.Struct, frozen=True):
    """A link could not be made, or ended before the bind was answered."""

    name: str
    reason: CloseReason
    detail: str


class LinkRefused(msgspec.Struct, frozen=True):
    """The message centre refused the bind. `needs_a_person`: a wrong password, say; we try again after long only."""

    name: str
    command_status: int
    needs_a_person: bool


class LinkThrottled(msgspec.Struct, frozen=True):
    """The peer has too many requests; told once a pause, whose seconds these are."""

    name: str
    command_status: int
    seconds: float


class ClientUp(msgspec.Struct, frozen=True):
    """An ESME has bound itself to our server."""

    system_id: str
    address: str
    state: SessionState
    interface_version: int


class ClientDown(msgspec.Struct, frozen=True):
    """The session of an ESME has ended; `doubtful` and `unanswered` as in `LinkDown`."""

    system_id: str
    address: str
    reason: CloseReason
    detail: str
    doubtful: int
    unanswered: int


class ClientRejected(msgspec.Struct, frozen=True):
    """A connection to our server ended before it was bound. `system_id` is what it claimed, "" if it said nothing."""

    address: str
    system_id: str
    reason: CloseReason
    detail: str


class MessageRejected(msgspec.Struct, frozen=True):
    """A request of the peer was answered with an error by the session itself.

    Attributes:
        name: the link's, or the system_id.
        message: its octets, MAX_UNDECODABLE at most, where it could not be read; else none.
        leaving: nothing is wrong with it: the session is about to end, and the peer is to send it again by another.
    """

    name: str
    command_id: int
    command_status: int
    reason: str
    message: bytes = b""
    leaving: bool = False


class Undecodable(msgspec.Struct, frozen=True):
    """The stream of octets of a connection could not be read; it was closed. `message`: its start, MAX_UNDECODABLE at most."""

    name: str
    address: str
    reason: str
    message: bytes


class HandlerFailed(msgspec.Struct, frozen=True):
    """A callback raised what it should not; a request that it was given is refused for the time being."""

    name: str
    error: BaseException


LinkEvent = (
    LinkUp | LinkDown | ConnectFailed | LinkRefused | LinkThrottled | MessageRejected | Undecodable | HandlerFailed
)
ServerEvent = ClientUp | ClientDown | ClientRejected | LinkThrottled | MessageRejected | Undecodable | HandlerFailed


class Counters(msgspec.Struct, gc=False):
    """Requests and responses since the link, or the connection of an ESME, began.

    Attributes:
        dropped: responses of ours for which the connection had gone.
        response_seconds: the sum of the time that the responses took.
    """

    requests_out: int = 0
    responses_in: int = 0
    errors_in: int = 0
    throttled: int = 0
    doubtful: int = 0
    late: int = 0
    requests_in: int = 0
    responses_out: int = 0
    refused: int = 0
    dropped: int = 0
    response_seconds: float = 0.0


class LinkState(msgspec.Struct, frozen=True, kw_only=True):
    """A link as it is now.

    Attributes:
        since: the clock when it became bound or ceased to be.
        waiting: requests of ours without a response; unanswered: the peer's that we owe one.
        paused_until: while the peer throttles us; retry_at: when it is dialled again.
        wanted: someone wants it up; suspended: it is bound and sends nothing.
        congestion_state: 0 to 100, where the peer tells it.
    """

    name: str
    state: SessionState
    since: float
    address: str
    system_id: str
    waiting: int
    unanswered: int
    paused_until: float | None
    retry_at: float | None
    wanted: bool
    suspended: bool
    congestion_state: int | None
    counters: Counters
