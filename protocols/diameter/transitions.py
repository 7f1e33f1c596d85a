"""The states of a connection to a peer, and every step between them, as one table (RFC 6733 §5.6)."""

from enum import Enum, IntEnum, auto
from typing import Final, Literal


class Role(Enum):
    """Who opened the connection."""

    INITIATOR = "initiator"
    RESPONDER = "responder"


class SessionState(Enum):
    """RFC 6733 §5.6, of one connection."""

    CLOSED = "closed"
    WAIT_CONN_ACK = "wait-conn-ack"
    WAIT_CER = "wait-cer"
    WAIT_RETURNS = "wait-returns"
    WAIT_I_CEA = "wait-i-cea"
    OPEN = "open"
    DRAINING = "draining"
    CLOSING = "closing"


class DisconnectCause(IntEnum):
    """Why a peer leaves (RFC 6733 §5.4.3)."""

    REBOOTING = 0
    BUSY = 1
    DO_NOT_WANT_TO_TALK_TO_YOU = 2


class CloseReason(Enum):
    """Why a connection ended."""

    LOST = "the connection was lost"
    CONNECT_FAILED = "the connection could not be made"
    LEFT = "the peer left in order (DPR)"
    STOPPED = "we left in order (DPR)"
    ABANDONED = "we closed it before it was open"
    CER_DEADLINE = "no exchange of capabilities in time"
    REFUSED = "we refused the peer"
    REFUSED_BY_PEER = "the peer refused us"
    UNEXPECTED = "a message that has no place in this state"
    FRAMING = "the stream of octets cannot be read"
    SLOW_SENDER = "a message took too long to arrive"
    SLOW_READER = "the peer does not read what we send"
    WATCHDOG = "the watchdog was not answered"
    REPLACED = "the peer has opened a new connection"
    ELECTION = "the election went to the other connection"


class Input(Enum):
    """What can happen; names as in RFC 6733 §5.6 without I- and R-."""

    RCV_CONN_ACK = auto()
    CONN = auto()
    RCV_CER = auto()
    BAD_CER = auto()
    RCV_CEA = auto()
    NON_SUCCESS_CEA = auto()
    RCV_DWR = auto()
    RCV_DWA = auto()
    RCV_DPR = auto()
    RCV_DPA = auto()
    RCV_MESSAGE = auto()
    ACCEPT = auto()
    REFUSE = auto()
    STOP = auto()
    SETTLED = auto()
    """No answer is owed any more."""
    TIMEOUT = auto()


_Method = Literal[
    "_snd_cer", "_await_cer", "_process_cer", "_refuse_cer", "_snd_cea", "_open", "_refused_by_peer", "_snd_cea_again",
    "_ignore", "_snd_dwa", "_process_dwa", "_process", "_receive_dpr", "_begin_dpr", "_snd_farewell", "_snd_dpa",
    "_left", "_stopped", "_too_late", "_abandoned",
]  # fmt: skip

_S, _I = SessionState, Input

TABLE: Final[dict[tuple[SessionState, Input], tuple[_Method, SessionState]]] = {
    # state, event                          action               next state
    (_S.WAIT_CONN_ACK, _I.RCV_CONN_ACK): ("_snd_cer", _S.WAIT_I_CEA),
    (_S.WAIT_CONN_ACK, _I.STOP): ("_abandoned", _S.CLOSED),
    (_S.CLOSED, _I.CONN): ("_await_cer", _S.WAIT_CER),
    (_S.WAIT_CER, _I.RCV_CER): ("_process_cer", _S.WAIT_RETURNS),
    (_S.WAIT_CER, _I.BAD_CER): ("_refuse_cer", _S.CLOSED),
    (_S.WAIT_CER, _I.TIMEOUT): ("_too_late", _S.CLOSED),
    (_S.WAIT_CER, _I.STOP): ("_abandoned", _S.CLOSED),
    (_S.WAIT_RETURNS, _I.ACCEPT): ("_snd_cea", _S.OPEN),
    (_S.WAIT_RETURNS, _I.REFUSE): ("_refuse_cer", _S.CLOSED),
    (_S.WAIT_RETURNS, _I.TIMEOUT): ("_too_late", _S.CLOSED),
    (_S.WAIT_RETURNS, _I.STOP): ("_abandoned", _S.CLOSED),
    (_S.WAIT_I_CEA, _I.RCV_CEA): ("_open", _S.OPEN),
    (_S.WAIT_I_CEA, _I.NON_SUCCESS_CEA): ("_refused_by_peer", _S.CLOSED),
    (_S.WAIT_I_CEA, _I.TIMEOUT): ("_too_late", _S.CLOSED),
    (_S.WAIT_I_CEA, _I.STOP): ("_abandoned", _S.CLOSED),
    (_S.OPEN, _I.RCV_MESSAGE): ("_process", _S.OPEN),
    (_S.OPEN, _I.RCV_DWR): ("_snd_dwa", _S.OPEN),
    (_S.OPEN, _I.RCV_DWA): ("_process_dwa", _S.OPEN),
    (_S.OPEN, _I.RCV_CER): ("_snd_cea_again", _S.OPEN),
    (_S.OPEN, _I.RCV_CEA): ("_ignore", _S.OPEN),
    (_S.OPEN, _I.RCV_DPA): ("_ignore", _S.OPEN),
    (_S.OPEN, _I.RCV_DPR): ("_receive_dpr", _S.DRAINING),
    (_S.OPEN, _I.STOP): ("_begin_dpr", _S.DRAINING),
    (_S.DRAINING, _I.RCV_MESSAGE): ("_process", _S.DRAINING),
    (_S.DRAINING, _I.RCV_DWR): ("_snd_dwa", _S.DRAINING),
    (_S.DRAINING, _I.RCV_DWA): ("_process_dwa", _S.DRAINING),
    (_S.DRAINING, _I.RCV_DPA): ("_ignore", _S.DRAINING),
    (_S.DRAINING, _I.RCV_DPR): ("_receive_dpr", _S.DRAINING),
    (_S.DRAINING, _I.STOP): ("_ignore", _S.DRAINING),
    (_S.DRAINING, _I.SETTLED): ("_snd_farewell", _S.CLOSING),
    (_S.DRAINING, _I.TIMEOUT): ("_snd_farewell", _S.CLOSING),
    (_S.CLOSING, _I.RCV_MESSAGE): ("_process", _S.CLOSING),
    (_S.CLOSING, _I.RCV_DWR): ("_snd_dwa", _S.CLOSING),
    (_S.CLOSING, _I.RCV_DWA): ("_ignore", _S.CLOSING),
    (_S.CLOSING, _I.RCV_DPR): ("_snd_dpa", _S.CLOSING),
    (_S.CLOSING, _I.RCV_DPA): ("_stopped", _S.CLOSED),
    (_S.CLOSING, _I.STOP): ("_ignore", _S.CLOSING),
    (_S.CLOSING, _I.TIMEOUT): ("_left", _S.CLOSED),
    (_S.CLOSED, _I.STOP): ("_ignore", _S.CLOSED),
}
"""Every transition but two: a lost connection leads to CLOSED from everywhere, and a message without a row here is
answered by closing the connection."""
