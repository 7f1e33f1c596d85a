"""What a node tells whoever runs it: of its peers, and of what it had to refuse. It never logs."""

import msgspec

from protocols.diameter.transitions import CloseReason, DisconnectCause


class PeerUp(msgspec.Struct, frozen=True):
    """Messages may flow. A greater `origin_state_id` than last time: the peer has lost its sessions (§8.16)."""

    identity: str
    realm: str
    address: str
    product_name: str
    origin_state_id: int | None
    initiated: bool
    """We dialled."""


class PeerDown(msgspec.Struct, frozen=True):
    """An open connection has ended."""

    identity: str
    reason: CloseReason
    detail: str
    cause: DisconnectCause | None
    unanswered: int
    """Requests of the peer that we still owed an answer."""


class PeerSuspected(msgspec.Struct, frozen=True):
    """The watchdog was not answered in time; what is pending goes to another peer, if there is one."""

    identity: str


class PeerRecovered(msgspec.Struct, frozen=True):
    """The watchdog is satisfied again."""

    identity: str


class PeerRestarted(msgspec.Struct, frozen=True):
    """A peer whose connection stands says that it has lost its sessions: its Origin-State-Id grew (§8.16)."""

    identity: str
    origin_state_id: int


class ConnectFailed(msgspec.Struct, frozen=True):
    """A peer could not be dialled, or refused us."""

    identity: str
    reason: CloseReason
    detail: str


class PeerRejected(msgspec.Struct, frozen=True):
    """A connection ended before it was open. `identity` is what the other end claimed, "" if it said nothing."""

    address: str
    identity: str
    reason: str


class MessageRejected(msgspec.Struct, frozen=True):
    """A message was answered with an error by the node itself or by its handler.

    Attributes:
        message: its octets, MAX_UNDECODABLE at most, where the fault is in how it is written; else none.
    """

    identity: str
    command_code: int
    application_id: int
    result_code: int
    reason: str
    message: bytes = b""


class RequestsRefused(msgspec.Struct, frozen=True):
    """Requests of a peer were answered 3004 without being read: it sends more than is done, or one side is leaving.

    Attributes:
        requests: how many since that was told last; it is told at once, and then once a second at most.
    """

    identity: str
    requests: int


class HandlerFailed(msgspec.Struct, frozen=True):
    """A handler raised what it should not; the request was answered 5012."""

    identity: str
    command_code: int
    error: BaseException


class Undecodable(msgspec.Struct, frozen=True):
    """The stream of octets of a connection could not be read; the connection was closed."""

    address: str
    identity: str
    reason: str
    message: bytes
    """What could not be read, MAX_UNDECODABLE octets at most."""


NodeEvent = (
    PeerUp
    | PeerDown
    | PeerSuspected
    | PeerRecovered
    | PeerRestarted
    | ConnectFailed
    | PeerRejected
    | MessageRejected
    | RequestsRefused
    | HandlerFailed
    | Undecodable
)


class PeerState(msgspec.Struct, frozen=True, kw_only=True):
    """A peer as it is now.

    Attributes:
        state: "closed", "open"... (RFC 6733 §5.6); watchdog: "okay", "suspect"... (RFC 3539).
        since: the clock when the connection opened or ended.
        outstanding: its requests that we have not answered; pending: ours that it has not.
        dropped: answers of ours that came after the connection had gone, and its that nobody waited for.
    """

    identity: str
    realm: str
    state: str
    watchdog: str
    since: float
    address: str
    outstanding: int
    pending: int
    requests_in: int
    answers_out: int
    requests_out: int
    answers_in: int
    rejected: int
    dropped: int
