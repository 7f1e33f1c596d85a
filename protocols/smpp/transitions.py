"""The states of a session, every step between them, and who may send what in which state (SMPP 3.4 §2.2, §2.3)."""

from enum import Enum, auto
from typing import Final, Literal

from protocols.smpp.codec import CommandId


class Role(Enum):
    """Which end of the session we are."""

    ESME = "esme"
    """Binds; sends submit_sm, receives deliver_sm."""
    MC = "mc"
    """The message centre, in SMPP 3.4 the SMSC."""

    @property
    def other(self) -> "Role":
        """The peer's."""
        return Role.MC if self is Role.ESME else Role.ESME


class SessionState(Enum):
    """SMPP 3.4 §2.2, and four of our own: BINDING and the three ways out.

    DRAINING is before our unbind, LEAVING before the unbind_resp to theirs: nothing new goes out, what is owed either
    way still does, within bounds. UNBINDING is after our unbind.
    """

    CLOSED = "closed"
    OPEN = "open"
    BINDING = "binding"
    BOUND_TX = "bound_tx"
    BOUND_RX = "bound_rx"
    BOUND_TRX = "bound_trx"
    DRAINING = "draining"
    UNBINDING = "unbinding"
    LEAVING = "leaving"


class CloseReason(Enum):
    """Why a session ended."""

    LOST = "the connection was lost"
    CONNECT_FAILED = "the connection could not be made"
    LEFT = "the peer left in order (unbind)"
    STOPPED = "we left in order (unbind)"
    INACTIVE = "we left in order: no transaction for long"
    ABANDONED = "we closed it before it was bound"
    SESSION_INIT = "no bind in time"
    REFUSED = "we refused the bind"
    REFUSED_BY_PEER = "the peer refused our bind"
    FRAMING = "the stream of octets cannot be read"
    SILENT = "enquire_link was not answered"
    SLOW_SENDER = "a PDU took too long to arrive"
    SLOW_READER = "the peer does not read what we send"
    CROWDED = "too many connections"


class Input(Enum):
    """What can happen to a session's state."""

    BIND = auto()
    """We are the ESME, and the transport is there."""
    CONNECTED = auto()
    """We are the message centre, and the transport is there."""
    RCV_BIND = auto()
    BAD_BIND = auto()
    REFUSE = auto()
    """We don't want the peer, or the peer does not want us."""
    ACCEPT_TX = auto()
    """Both agree on a transmitter, and so on."""
    ACCEPT_RX = auto()
    ACCEPT_TRX = auto()
    STOP = auto()
    RCV_UNBIND = auto()
    RCV_UNBIND_RESP = auto()
    SETTLED = auto()
    """No response is owed any more, either way."""
    TIMEOUT = auto()


_Method = Literal[
    "_snd_bind", "_await_bind", "_ask_owner", "_refuse", "_bound", "_ignore", "_begin_unbind", "_receive_unbind",
    "_snd_unbind", "_snd_unbind_resp", "_farewell", "_unbound", "_not_unbound", "_abandoned",
]  # fmt: skip

_S, _I = SessionState, Input

TABLE: Final[dict[tuple[SessionState, Input], tuple[_Method, SessionState]]] = {
    # state, event                       action              next state
    (_S.CLOSED, _I.BIND): ("_snd_bind", _S.BINDING),
    (_S.CLOSED, _I.CONNECTED): ("_await_bind", _S.OPEN),
    (_S.CLOSED, _I.STOP): ("_ignore", _S.CLOSED),
    (_S.OPEN, _I.RCV_BIND): ("_ask_owner", _S.BINDING),
    (_S.OPEN, _I.BAD_BIND): ("_refuse", _S.CLOSED),
    (_S.OPEN, _I.STOP): ("_abandoned", _S.CLOSED),
    (_S.BINDING, _I.ACCEPT_TX): ("_bound", _S.BOUND_TX),
    (_S.BINDING, _I.ACCEPT_RX): ("_bound", _S.BOUND_RX),
    (_S.BINDING, _I.ACCEPT_TRX): ("_bound", _S.BOUND_TRX),
    (_S.BINDING, _I.REFUSE): ("_refuse", _S.CLOSED),
    (_S.BINDING, _I.STOP): ("_abandoned", _S.CLOSED),
    (_S.BOUND_TX, _I.RCV_UNBIND): ("_receive_unbind", _S.LEAVING),
    (_S.BOUND_RX, _I.RCV_UNBIND): ("_receive_unbind", _S.LEAVING),
    (_S.BOUND_TRX, _I.RCV_UNBIND): ("_receive_unbind", _S.LEAVING),
    (_S.BOUND_TX, _I.STOP): ("_begin_unbind", _S.DRAINING),
    (_S.BOUND_RX, _I.STOP): ("_begin_unbind", _S.DRAINING),
    (_S.BOUND_TRX, _I.STOP): ("_begin_unbind", _S.DRAINING),
    (_S.DRAINING, _I.SETTLED): ("_snd_unbind", _S.UNBINDING),
    (_S.DRAINING, _I.TIMEOUT): ("_snd_unbind", _S.UNBINDING),
    (_S.DRAINING, _I.RCV_UNBIND): ("_receive_unbind", _S.LEAVING),
    (_S.DRAINING, _I.STOP): ("_ignore", _S.DRAINING),
    (_S.UNBINDING, _I.RCV_UNBIND_RESP): ("_unbound", _S.CLOSED),
    (_S.UNBINDING, _I.RCV_UNBIND): ("_snd_unbind_resp", _S.UNBINDING),
    (_S.UNBINDING, _I.TIMEOUT): ("_not_unbound", _S.CLOSED),
    (_S.UNBINDING, _I.STOP): ("_ignore", _S.UNBINDING),
    (_S.LEAVING, _I.SETTLED): ("_farewell", _S.CLOSED),
    (_S.LEAVING, _I.TIMEOUT): ("_farewell", _S.CLOSED),
    (_S.LEAVING, _I.RCV_UNBIND): ("_receive_unbind", _S.LEAVING),
    (_S.LEAVING, _I.STOP): ("_ignore", _S.LEAVING),
}
"""Every transition but one: a connection that is lost or cut off leads to CLOSED from everywhere. An unbind or
unbind_resp without a row is refused or ignored where it stands."""

BOUND: Final = frozenset({SessionState.BOUND_TX, SessionState.BOUND_RX, SessionState.BOUND_TRX})
"""Where requests of ours may go out."""
UP: Final = BOUND | {SessionState.DRAINING, SessionState.UNBINDING, SessionState.LEAVING}
"""Where responses still go out."""

BOUND_AS: Final[dict[int, tuple[Input, SessionState]]] = {
    CommandId.BIND_TRANSMITTER: (Input.ACCEPT_TX, SessionState.BOUND_TX),
    CommandId.BIND_RECEIVER: (Input.ACCEPT_RX, SessionState.BOUND_RX),
    CommandId.BIND_TRANSCEIVER: (Input.ACCEPT_TRX, SessionState.BOUND_TRX),
}
"""What a bind leads to, by its command_id."""

_TX: Final = frozenset({SessionState.BOUND_TX})
_SENDING: Final = frozenset({SessionState.BOUND_TX, SessionState.BOUND_TRX})
_RECEIVING: Final = frozenset({SessionState.BOUND_RX, SessionState.BOUND_TRX})

ISSUED: Final[dict[tuple[int, Role], frozenset[SessionState]]] = {
    (CommandId.SUBMIT_SM, Role.ESME): _SENDING,
    (CommandId.SUBMIT_MULTI, Role.ESME): _SENDING,
    (CommandId.QUERY_SM, Role.ESME): _SENDING,
    (CommandId.CANCEL_SM, Role.ESME): _SENDING,
    (CommandId.REPLACE_SM, Role.ESME): _TX,
    (CommandId.DATA_SM, Role.ESME): BOUND,
    (CommandId.DATA_SM, Role.MC): BOUND,
    (CommandId.DELIVER_SM, Role.MC): _RECEIVING,
    (CommandId.ALERT_NOTIFICATION, Role.MC): _RECEIVING,
}
"""Who may issue a request in which bound state (SMPP 3.4 §2.3, table 2-1). What belongs to the session itself (binds,
unbind, enquire_link, which is answered in every state) is not here."""

ISSUED_SINCE_5_0: Final[dict[tuple[int, Role], frozenset[SessionState]]] = {(CommandId.REPLACE_SM, Role.ESME): _SENDING}
"""What SMPP 5.0 §2.4 adds."""


def issued_by(role: Role, bound: SessionState, interface_version: int) -> frozenset[int]:
    """The requests, by command_id, that this role may send on a session that is bound so."""
    table = ISSUED | ISSUED_SINCE_5_0 if interface_version >= 0x50 else ISSUED
    return frozenset(int(command_id) for (command_id, who), states in table.items() if who is role and bound in states)


def ever_issued_by(role: Role, command_id: int) -> bool:
    """Whether this role may send the request in any state."""
    return (command_id, role) in ISSUED
