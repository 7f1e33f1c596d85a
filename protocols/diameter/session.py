"""One connection to a peer, without the connection: the machine of RFC 6733 §5.6.

The RFC draws one machine for a peer and its two possible connections, one that we opened (I-) and one that the peer
opened (R-). Here a `Peer` is one connection in one of these roles, because who is at the other end of an accepted
connection is not known before its CER. What concerns both connections (election, a second connection of the same
peer) is decided by `peer_table`, which the machine asks by the event `CapabilitiesRequested` and which answers by
`accept` or `refuse`. So Wait-Returns is the state of any accepted connection that waits for this decision, and
Wait-Conn-Ack/Elect does not exist: a connection that is still being dialled gives way to one that has sent its CER.

One state is added. DRAINING lies between OPEN and CLOSING: a DPR, theirs or ours, waits until the answers that we
owe have been sent, so that a peer that leaves in order does not lose them. It is bounded in time.

Time is an argument. Octets to send come from `data_to_send`, what happened from `events`.
"""

from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from protocols.diameter.avp_validation import STANDARD, Profile
from protocols.diameter.capabilities import (
    Capabilities,
    LocalNode,
    capabilities_of,
    check_answer,
    check_request,
    origin_state_id,
)
from protocols.diameter.codec import (
    FLAG_ERROR,
    FLAG_PROXIABLE,
    FLAG_REQUEST,
    Framer,
    Header,
    decode_header,
    encode_message,
)
from protocols.diameter.errors import DiameterError, ResultCode
from protocols.diameter.events import (
    CapabilitiesRequested,
    Closed,
    Event,
    MessageRefused,
    Opened,
    ProbeAnswered,
    Received,
    Recovered,
    Shed,
    StateIdRaised,
    Suspected,
)
from protocols.diameter.generated import decode
from protocols.diameter.limits import Limits
from protocols.diameter.messages import (
    CapabilitiesExchangeAnswer,
    CapabilitiesExchangeRequest,
    DeviceWatchdogRequest,
    DisconnectPeerRequest,
)
from protocols.diameter.transitions import TABLE, CloseReason, DisconnectCause, Input, Role, SessionState
from protocols.diameter.watchdog import Action, Watchdog
from protocols.errors import LocalProtocolError
from protocols.stream_session import StreamSession
from protocols.tap import MAX_UNDECODABLE

_CAPABILITIES_EXCHANGE: Final = CapabilitiesExchangeRequest.command_code
_DEVICE_WATCHDOG: Final = DeviceWatchdogRequest.command_code
_DISCONNECT_PEER: Final = DisconnectPeerRequest.command_code
_BAD_REQUEST_FLAGS: Final = 0x2F
"""E and the reserved bits, which no request may set."""
_LENIENT: Final = Profile(STANDARD.grouped, lenient=True)
"""For a CEA: to hang up over an AVP that we don't know would help nobody."""

_REQUESTS: Final = {
    _CAPABILITIES_EXCHANGE: Input.RCV_CER,
    _DEVICE_WATCHDOG: Input.RCV_DWR,
    _DISCONNECT_PEER: Input.RCV_DPR,
}
_ANSWERS: Final = {
    _CAPABILITIES_EXCHANGE: Input.RCV_CEA,
    _DEVICE_WATCHDOG: Input.RCV_DWA,
    _DISCONNECT_PEER: Input.RCV_DPA,
}
_UP: Final = frozenset({SessionState.OPEN, SessionState.DRAINING, SessionState.CLOSING})
_WATCHED: Final = frozenset({SessionState.OPEN, SessionState.DRAINING})
_CAUSES: Final = frozenset(DisconnectCause)

_Command = TypeVar("_Command", bound=msgspec.Struct)


class Peer(StreamSession[DiameterError, Event]):
    """One connection to a peer.

    Args:
        end_to_end: gives out End-to-End Identifiers.
        hop_by_hop: the first Hop-by-Hop Identifier of this connection.
        expected: the identity that was dialled; a CEA of anybody else ends the connection.
        expected_realm: the same of its realm.
        watchdog: of the peer that was dialled; that of an accepted connection is given to `accept`.
    """

    def __init__(
        self,
        role: Role,
        local: LocalNode,
        limits: Limits,
        *,
        end_to_end: Callable[[], int],
        hop_by_hop: int = 0,
        expected: str = "",
        expected_realm: str = "",
        watchdog: Watchdog | None = None,
    ) -> None:
        super().__init__(Framer(), limits)
        self.role = role
        self.state = SessionState.WAIT_CONN_ACK if role is Role.INITIATOR else SessionState.CLOSED
        self.capabilities: Capabilities | None = None
        """What the peer said of itself, once it did."""
        self.local = local
        self._limits = limits
        self._end_to_end = end_to_end
        self._hop_by_hop = hop_by_hop & 0xFFFFFFFF
        self._expected, self._expected_realm = expected, expected_realm
        self._watchdog = watchdog
        self._probe_deadline: float | None = None
        self._opened = False
        self._state_id = 0
        """The greatest Origin-State-Id that the peer has given."""
        self._patience = limits.drain_deadline
        self._cer: Header | None = None
        self._refusal: DiameterError | None = None
        self._farewell = b""
        self._parting: CloseReason | None = None
        self._cause: DisconnectCause | None = None
        self._shed: list[tuple[Header, bytes]] = []
        """Of the turn at hand."""

    @property
    def closed(self) -> bool:
        """Nothing more will happen here (an accepted connection begins so, too)."""
        return self.state is SessionState.CLOSED

    @property
    def _takes_requests(self) -> bool:
        return self.state is SessionState.OPEN

    # What the owner of the connection calls

    def connected(self, now: float) -> None:
        """The transport is there, TLS included."""
        self._run(Input.RCV_CONN_ACK if self.role is Role.INITIATOR else Input.CONN, now)

    def connection_lost(self, now: float, detail: str = "") -> None:
        """The transport is gone, or never came about."""
        if self.state is SessionState.WAIT_CONN_ACK:
            self._close(CloseReason.CONNECT_FAILED, now, detail)
        elif self.state is not SessionState.CLOSED:
            self._close(self._parting or CloseReason.LOST, now, detail)

    def deadline(self) -> float | None:
        """When `on_timer` wants to be called."""
        times = [self._deadline, self._message_due, self._probe_deadline, self._overload_due]
        if self.state in _WATCHED and self._watchdog is not None:
            times.append(self._watchdog.deadline)
        return min((time for time in times if time is not None), default=None)

    def on_timer(self, now: float) -> None:
        """Time has passed; may be called too early."""
        if self._deadline is not None and now >= self._deadline:
            self._deadline = None
            self._run(Input.TIMEOUT, now)
        if self._probe_deadline is not None and now >= self._probe_deadline:
            self._close(CloseReason.REPLACED, now)
        if self._message_due is not None and now >= self._message_due:
            self._cut_off(CloseReason.SLOW_SENDER, now)
        if self.state in _WATCHED and self._watchdog is not None:
            self._follow(self._watchdog.on_timer(now), now)
        self._shed_overdue(now)

    def cut_off(self, reason: CloseReason, now: float, detail: str = "") -> None:
        """End the connection at once, with a DPR if it is open."""
        if self.state is not SessionState.CLOSED:
            self._cut_off(reason, now, detail)

    # What whoever knows all peers calls

    def accept(self, watchdog: Watchdog, now: float) -> None:
        """The peer of `CapabilitiesRequested` is welcome."""
        self._watchdog = watchdog
        self._run(Input.ACCEPT, now)

    def refuse(self, error: DiameterError, now: float) -> None:
        """The peer of `CapabilitiesRequested` is not welcome."""
        self._refusal = error
        self._run(Input.REFUSE, now)

    def probe(self, now: float) -> None:
        """Ask for a sign of life, within `probe_deadline`: `ProbeAnswered` or `Closed` (REPLACED) follows."""
        if self._probe_deadline is None:
            self._probe_deadline = now + self._limits.probe_deadline
            self._snd_dwr()

    def abandon(self, reason: CloseReason, now: float) -> None:
        """Close the connection without a word: another one has taken its place."""
        if self.state is not SessionState.CLOSED:
            self._close(reason, now)

    def disconnect(self, cause: DisconnectCause, now: float, patience: float | None = None) -> None:
        """Leave in order: the answers that we owe within `patience` seconds, then DPR."""
        if self.state is SessionState.OPEN:
            self._cause = cause
        self._patience = self._limits.drain_deadline if patience is None else patience
        self._run(Input.STOP, now)

    # What sends application messages

    def send_request(self, flags: int, command_code: int, application_id: int, end_to_end: int, body: bytes) -> int:
        """Send a request; returns its Hop-by-Hop Identifier."""
        if self.state is not SessionState.OPEN:
            raise LocalProtocolError(f"a request in {self.state.name}", "diameter.peer.not_open")
        hop_by_hop = self._next_hop_by_hop()
        self._out.append(encode_message(flags, command_code, application_id, hop_by_hop, end_to_end, body))
        return hop_by_hop

    def send_answer(self, message: bytes, now: float) -> bool:
        """Send an answer that we owe; False if the connection is gone."""
        if self.state not in _UP:
            return False
        self._out.append(message)
        self._admission.settle()
        if self.state is SessionState.DRAINING and self.outstanding == 0:
            self._run(Input.SETTLED, now)
        return True

    def send_refusals(self, messages: list[bytes]) -> bool:
        """Send the answers to requests that were shed; False if the connection is gone."""
        if self.state not in _UP:
            return False
        self._out += messages
        return True

    # The machine

    def _run(self, event: Input, now: float, header: Header | None = None, frame: bytes = b"") -> None:
        """Take one step of the table."""
        row = TABLE.get((self.state, event))
        if row is not None:
            action, self.state = row
            getattr(self, action)(now, header, frame)
        elif header is not None:
            self._cut_off(CloseReason.UNEXPECTED, now, f"{event.name} in {self.state.name}")
        else:
            raise LocalProtocolError(f"{event.name} in {self.state.name}", "diameter.peer.state")

    # Messages come in (`StreamSession`)

    def _receive_frame(self, frame: bytes, now: float) -> None:
        header = decode_header(frame)
        if self.state is SessionState.OPEN and header.command_code not in _REQUESTS:  # the hot path, in short
            self._process(now, header, frame)
            return
        known = _REQUESTS if header.request else _ANSWERS
        event = known.get(header.command_code, Input.RCV_MESSAGE)
        if self.state is SessionState.WAIT_CER and event is Input.RCV_CER:
            event = self._read_cer(header, frame)
        elif self.state is SessionState.WAIT_I_CEA and event is Input.RCV_CEA:
            event = self._read_cea(frame)
        self._run(event, now, header, frame)

    def _received_frames(self, now: float) -> None:
        if self._shed:
            self._events.append(Shed(self._shed))
            self._shed = []
        if self._watchdog is not None and self._opened:
            self._follow(self._watchdog.received(now), now)

    def _lost_framing(self, error: DiameterError, message: bytes, now: float) -> None:
        self._cut_off(CloseReason.FRAMING, now, str(error), message)

    def _read_cer(self, header: Header, frame: bytes) -> Input:
        """Take note of a CER; says whether we can go on with it."""
        self._cer = header
        try:
            cer = _decode_request(CapabilitiesExchangeRequest, header, frame)
            self.capabilities = capabilities_of(cer)
            check_request(self.local, cer)
        except DiameterError as error:
            self._refusal = error
            return Input.BAD_CER
        return Input.RCV_CER

    def _read_cea(self, frame: bytes) -> Input:
        """Take note of a CEA; says whether we can go on with it."""
        try:
            cea = decode(CapabilitiesExchangeAnswer, frame, profile=_LENIENT)
            self.capabilities = capabilities_of(cea)
            check_answer(self.local, cea, self._expected, self._expected_realm)
        except DiameterError as error:
            self._refusal = error
            return Input.NON_SUCCESS_CEA
        return Input.RCV_CEA

    def _snd_cer(self, now: float, _header: Header | None, _frame: bytes) -> None:
        self._deadline = now + self._limits.cer_deadline
        self._request(_CAPABILITIES_EXCHANGE, self.local.request())

    def _await_cer(self, now: float, _header: Header | None, _frame: bytes) -> None:
        self._deadline = now + self._limits.cer_deadline

    def _process_cer(self, now: float, _header: Header | None, _frame: bytes) -> None:
        assert self.capabilities is not None
        self._deadline = now + self._limits.cer_deadline
        self._events.append(CapabilitiesRequested(self.capabilities))

    def _refuse_cer(self, now: float, _header: Header | None, _frame: bytes) -> None:
        assert self._cer is not None
        assert self._refusal is not None
        self._answer(self._cer, self.local.refusing_answer(self._refusal), self._refusal.result_code)
        self._close(CloseReason.REFUSED, now, f"{self._refusal.result_code} {self._refusal.message}")

    def _snd_cea(self, now: float, _header: Header | None, _frame: bytes) -> None:
        assert self._cer is not None
        self._answer(self._cer, self.local.answer())
        self._open(now, None, b"")

    def _open(self, now: float, _header: Header | None, _frame: bytes) -> None:
        assert self.capabilities is not None
        assert self._watchdog is not None
        self._deadline = None
        self._opened = True
        self._state_id = self.capabilities.origin_state_id or 0
        self._events.append(Opened(self.capabilities))
        self._follow(self._watchdog.connection_up(now), now)

    def _refused_by_peer(self, now: float, _header: Header | None, _frame: bytes) -> None:
        assert self._refusal is not None
        self._close(CloseReason.REFUSED_BY_PEER, now, f"{self._refusal.result_code} {self._refusal.message}")

    def _snd_cea_again(self, _now: float, header: Header | None, frame: bytes) -> None:
        assert header is not None
        self._note_state_id(frame)
        self._answer(header, self.local.answer())

    def _ignore(self, now: float, header: Header | None, frame: bytes) -> None:
        pass

    def _snd_dwa(self, _now: float, header: Header | None, frame: bytes) -> None:
        assert header is not None
        if self._readable(DeviceWatchdogRequest, header, frame) is None:
            return
        self._note_state_id(frame)
        self._answer(header, self.local.watchdog_answer())

    def _process_dwa(self, now: float, _header: Header | None, frame: bytes) -> None:
        assert self._watchdog is not None
        self._note_state_id(frame)
        if self._probe_deadline is not None:
            self._probe_deadline = None
            self._events.append(ProbeAnswered())
        self._follow(self._watchdog.received_dwa(now), now)

    def _process(self, now: float, header: Header | None, frame: bytes) -> None:
        assert header is not None
        busy = False
        if header.flags & FLAG_REQUEST:
            busy = self.state is not SessionState.OPEN
            if self._admission.refusing and not busy:
                self._admission.shed(now)
                self._shed.append((header, frame))
                return
            self._admission.admit(now)
        self._events.append(Received(header, frame, busy))

    def _receive_dpr(self, now: float, header: Header | None, frame: bytes) -> None:
        assert header is not None
        dpr = self._readable(DisconnectPeerRequest, header, frame)
        if dpr is not None and dpr.disconnect_cause in _CAUSES:
            self._cause = DisconnectCause(dpr.disconnect_cause)
        self._parting = CloseReason.LEFT
        self._farewell = b"" if dpr is None else self._dpa(header)
        self._deadline = now + self._limits.drain_deadline
        self._settle(now)

    def _begin_dpr(self, now: float, _header: Header | None, _frame: bytes) -> None:
        assert self._cause is not None
        self._parting = CloseReason.STOPPED
        self._farewell = self._dpr(self._cause)
        self._deadline = now + self._patience
        self._settle(now)

    def _settle(self, now: float) -> None:
        if self.outstanding == 0:
            self._run(Input.SETTLED, now)

    def _snd_farewell(self, now: float, _header: Header | None, _frame: bytes) -> None:
        if self._farewell:
            self._out.append(self._farewell)
        self._deadline = now + self._limits.closing_deadline

    def _snd_dpa(self, _now: float, header: Header | None, _frame: bytes) -> None:
        assert header is not None
        self._out.append(self._dpa(header))

    def _stopped(self, now: float, _header: Header | None, _frame: bytes) -> None:
        self._close(self._parting or CloseReason.STOPPED, now)

    def _left(self, now: float, _header: Header | None, _frame: bytes) -> None:
        self._close(self._parting or CloseReason.STOPPED, now, "the other side did not close")

    def _too_late(self, now: float, _header: Header | None, _frame: bytes) -> None:
        self._close(CloseReason.CER_DEADLINE, now)

    def _abandoned(self, now: float, _header: Header | None, _frame: bytes) -> None:
        self._close(CloseReason.ABANDONED, now)

    # Pieces

    def _follow(self, actions: tuple[Action, ...], now: float) -> None:
        """Do what the watchdog wants."""
        for action in actions:
            match action:
                case Action.SEND_WATCHDOG:
                    self._snd_dwr()
                case Action.FAILOVER:
                    self._events.append(Suspected())
                case Action.FAILBACK:
                    self._events.append(Recovered())
                case Action.CLOSE_CONNECTION:
                    self._close(CloseReason.WATCHDOG, now)

    def _cut_off(self, reason: CloseReason, now: float, detail: str = "", message: bytes = b"") -> None:
        """Close without waiting for anything; a peer that is open hears why it should not come back at once."""
        cause = None
        if self.state is SessionState.OPEN:
            cause = DisconnectCause.BUSY
            self._out.append(self._dpr(cause))
        self._close(reason, now, detail, cause, message)

    def _close(
        self,
        reason: CloseReason,
        now: float,
        detail: str = "",
        cause: DisconnectCause | None = None,
        message: bytes = b"",
    ) -> None:
        self.state = SessionState.CLOSED
        self._deadline = self._message_due = self._probe_deadline = None
        self._admission.end()
        if self._opened:
            assert self._watchdog is not None
            leave = self._watchdog.left_in_order if self._parting is not None else self._watchdog.connection_down
            leave(now)  # what is pending fails over because of Closed
        self._events.append(Closed(reason, detail, cause or self._cause, self._opened, message))

    def _note_state_id(self, frame: bytes) -> None:
        """Report an Origin-State-Id that is greater than those before; the first of a connection only counts from then."""
        state_id = origin_state_id(frame)
        if state_id > self._state_id:
            if self._state_id:
                self._events.append(StateIdRaised(state_id))
            self._state_id = state_id

    def _next_hop_by_hop(self) -> int:
        self._hop_by_hop = self._hop_by_hop + 1 & 0xFFFFFFFF
        return self._hop_by_hop

    def _request(self, command_code: int, body: bytes) -> None:
        self._out.append(self._encode_request(command_code, body))

    def _encode_request(self, command_code: int, body: bytes) -> bytes:
        return encode_message(FLAG_REQUEST, command_code, 0, self._next_hop_by_hop(), self._end_to_end(), body)

    def _answer(self, header: Header, body: bytes, result_code: int = ResultCode.DIAMETER_SUCCESS) -> None:
        """Answer a message of the base protocol; 3xxx goes under the E bit (RFC 6733 §7.1.3)."""
        flags = header.flags & FLAG_PROXIABLE | (FLAG_ERROR if result_code // 1000 == 3 else 0)
        self._out.append(
            encode_message(
                flags, header.command_code, header.application_id, header.hop_by_hop, header.end_to_end, body
            )
        )

    def _readable(self, cls: type[_Command], header: Header, frame: bytes) -> _Command | None:
        """The request, or None once it has been answered with its error."""
        try:
            return _decode_request(cls, header, frame)
        except DiameterError as error:
            self._answer(header, self.local.refusal(error), error.result_code)
            refused = MessageRefused(header.command_code, error.result_code, error.message, frame[:MAX_UNDECODABLE])
            self._events.append(refused)
            return None

    def _snd_dwr(self) -> None:
        self._request(_DEVICE_WATCHDOG, self.local.watchdog_request())

    def _dpr(self, cause: DisconnectCause) -> bytes:
        return self._encode_request(_DISCONNECT_PEER, self.local.disconnect_request(cause))

    def _dpa(self, header: Header) -> bytes:
        body = self.local.disconnect_answer()
        return encode_message(0, _DISCONNECT_PEER, 0, header.hop_by_hop, header.end_to_end, body)


def _decode_request(cls: type[_Command], header: Header, frame: bytes) -> _Command:
    """A request of the base protocol; raises DiameterError for its header too."""
    if header.flags & _BAD_REQUEST_FLAGS:
        raise DiameterError(ResultCode.DIAMETER_INVALID_HDR_BITS, f"header flags {header.flags:#04x}")
    return decode(cls, frame)
