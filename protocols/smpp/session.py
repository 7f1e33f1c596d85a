"""One SMPP session without its connection, for both ends of it: the ESME that binds and the message centre.

The owner hands in octets (`receive`), time (`on_timer`, due at `deadline`) and requests (`send`), and takes octets
(`data_to_send`) and what happened (`events`). A request of the peer is told as `Received` and answered by `respond`
when the owner is done with it, in any order; enquire_link and unbind are answered here, whatever the owner does.

A request of ours ends in exactly one of `Responded`, `Throttled` and `Doubtful`; one that was told as doubtful may get
one `Responded` (or `Throttled`) more, marked late. Nothing is ever sent again by itself.

An unbind, theirs or ours, first lets both sides give the responses that they owe, within bounds; new requests of the
peer are refused meanwhile for the time being.
"""

from struct import Struct
from typing import Final

from protocols.admission import Admission
from protocols.errors import LocalProtocolError
from protocols.rate_limit import TokenBucket
from protocols.smpp.codec import HEADER_SIZE, RESPONSE_BIT, CommandId, Framer, Header, decode_header, wide_number
from protocols.smpp.errors import CommandStatus, SmppError, status_name
from protocols.smpp.events import (
    BindRefused,
    BindRequested,
    Bound,
    Closed,
    Doubt,
    Doubtful,
    Event,
    MessageRefused,
    Ready,
    Received,
    Responded,
    Throttled,
)
from protocols.smpp.fields import without_tlvs
from protocols.smpp.generated import decode, encode
from protocols.smpp.limits import Limits
from protocols.smpp.messages import (
    RESPONSES,
    BindReceiver,
    BindReceiverResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Pdu,
    Unbind,
    UnbindResp,
)
from protocols.smpp.status_policy import Retry, needs_a_person, retry_of
from protocols.smpp.tags import Tag
from protocols.smpp.throttle import Throttle
from protocols.smpp.timers import Expired, Timers
from protocols.smpp.transitions import (
    BOUND,
    BOUND_AS,
    TABLE,
    UP,
    CloseReason,
    Input,
    Role,
    SessionState,
    ever_issued_by,
    issued_by,
)
from protocols.smpp.window import Sent, Window
from protocols.stream_session import StreamSession
from protocols.tap import MAX_UNDECODABLE

_GENERIC_NACK: Final = int(CommandId.GENERIC_NACK)
_ENQUIRE_LINK: Final = int(CommandId.ENQUIRE_LINK)
_UNBIND: Final = int(CommandId.UNBIND)
_ALERT_NOTIFICATION: Final = int(CommandId.ALERT_NOTIFICATION)
_OWN: Final = frozenset({_ENQUIRE_LINK, _UNBIND, int(CommandId.OUTBIND), *map(int, BOUND_AS)})
"""Requests that belong to the session itself."""
_NONE: Final[frozenset[int]] = frozenset()
_HEAD: Final = Struct(">IIII").pack
_SMPP_3_3: Final = 0x33
_SMPP_3_4: Final = 0x34


class Session(StreamSession[SmppError, Event]):
    """One session, on one connection.

    Args:
        bind: what the ESME binds with; its class says as what. None: we are the message centre.
        system_id: the message centre's name for itself.
        interface_version: the message centre's.
        tlvs: whether the peer is sent optional parameters; None: if its interface version says that it knows them.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        bind: BindReceiver | None = None,
        system_id: str = "",
        interface_version: int = 0x34,
        tlvs: bool | None = None,
    ) -> None:
        super().__init__(Framer(), limits)
        self.role = Role.MC if bind is None else Role.ESME
        self.state = SessionState.CLOSED
        self.bound_as: SessionState | None = None
        """How the session is, or was, bound."""
        self.peer = ""
        """The peer's system_id."""
        self._limits = limits
        self._bind = bind
        self._system_id = system_id
        self._interface_version = interface_version
        self._version = _SMPP_3_3
        self._tlvs = tlvs
        self._may_send = self._may_receive = _NONE
        self._window = Window(limits.response_timeout, limits.remembered)
        self._throttle = Throttle(limits)
        self._bucket = TokenBucket(limits.rate, limits.rate * limits.burst, 0.0)
        self._timers = Timers()
        self._sequence_number = 0
        self._owed: dict[tuple[int, int], int] = {}
        self._tokens_at: float | None = None
        self._starved = False
        self._transaction = False
        self._patience = limits.drain_deadline
        self._bind_header: Header | None = None
        self._bind_sequence = self._unbind_sequence = self._their_unbind = 0
        self._refusal: int = CommandStatus.ESME_RBINDFAIL
        self._refused_because = ""
        self._parting: CloseReason | None = None

    @property
    def closed(self) -> bool:
        """Nothing more will happen here (a session that is not connected yet is so, too)."""
        return self.state is SessionState.CLOSED

    @property
    def unanswered(self) -> int:
        """Requests of the peer that we owe a response."""
        return self._admission.outstanding

    @property
    def _takes_requests(self) -> bool:
        return bool(self._may_send)

    @property
    def waiting(self) -> int:
        """Requests of ours that wait for a response."""
        return len(self._window)

    @property
    def congestion_state(self) -> int | None:
        """How loaded the peer said it is, 0 to 100 (SMPP 5.0 §2.9)."""
        return self._throttle.congestion_state

    @property
    def paused_until(self) -> float | None:
        """While the peer throttles us: when the next request may go."""
        return self._throttle.paused_until

    @property
    def takes_tlvs(self) -> bool:
        """Whether the peer is sent optional parameters: it is not if it says that it knows none (SMPP 3.4 §3.4)."""
        return self._version >= _SMPP_3_4 if self._tlvs is None else self._tlvs

    # What the owner of the connection calls

    def connected(self, now: float) -> None:
        """The transport is there, TLS included."""
        self._bucket = TokenBucket(self._limits.rate, self._limits.rate * self._limits.burst, now)
        self._timers = self._timers.connected(self._limits, now)
        self._run(Input.CONNECTED if self._bind is None else Input.BIND, now)

    def connection_lost(self, now: float, detail: str = "") -> None:
        """The transport is gone."""
        if self.state is not SessionState.CLOSED:
            self._close(self._parting or CloseReason.LOST, now, detail)

    def deadline(self) -> float | None:
        """When `on_timer` wants to be called."""
        if self.closed:
            return None
        times = [
            self._deadline,
            self._message_due,
            self._overload_due,
            self._timers.deadline(),
            self._window.deadline(),
            self._throttle.paused_until,
        ]
        if self._starved and self._may_send:  # on the way out nobody waits for room any more
            times.append(self._tokens_at)
        return min((time for time in times if time is not None), default=None)

    def on_timer(self, now: float) -> None:
        """Time has passed; may be called too early."""
        if self.closed:
            return
        if self._deadline is not None and now >= self._deadline:
            self._deadline = None
            self._run(Input.TIMEOUT, now)
        if self._message_due is not None and now >= self._message_due:
            self.cut_off(CloseReason.SLOW_SENDER, now)
        self._expire_timers(now)
        if self.closed:
            return
        for sent in self._window.expire(now):
            self._events.append(Doubtful(sent.sequence_number, sent.context, Doubt.TIMEOUT))
        self._throttle.resume(now, len(self._window))
        self._settle(now)
        self._shed_overdue(now)
        self._report_ready(now)

    def resume(self, now: float) -> None:
        """The peer reads again."""
        super().resume(now)
        self._report_ready(now)

    def cut_off(self, reason: CloseReason, now: float, detail: str = "") -> None:
        """End the session at once, without a word."""
        if self.state is not SessionState.CLOSED:
            self._close(reason, now, detail)

    # What whoever answers binds calls; the session may have ended meanwhile, which is told by `Closed`

    def accept(self, now: float) -> None:
        """The ESME of `BindRequested` is welcome."""
        if self.state is SessionState.BINDING and self._bind is not None:
            self._agree(
                self._bind, self._bind.system_id, min(self._bind.interface_version, self._interface_version), now
            )

    def refuse(self, command_status: int, now: float) -> None:
        """The ESME of `BindRequested` is not welcome."""
        if self.state is SessionState.BINDING:
            self._refusal = command_status
            self._run(Input.REFUSE, now)

    def unbind(self, now: float, patience: float | None = None) -> None:
        """Leave in order: what is owed either way within `patience` seconds, then unbind."""
        if self.state in BOUND:
            self._parting = CloseReason.STOPPED
            self._patience = self._limits.drain_deadline if patience is None else patience
        self._run(Input.STOP, now)

    # What sends requests and responses

    def room(self, now: float) -> int:
        """How many requests may be sent now. Whoever was told 0, or `Throttled`, is told `Ready` in time."""
        if not self._may_send:
            return 0
        room = 0 if self._paused else self._throttle.room(len(self._window), now)
        if room and self._limits.rate:
            room = self._bucket.available(now, room)
        if not room:
            self._starve(now)
        return room

    def _starve(self, now: float) -> None:
        """There is no room: `Ready` is told when there is some again."""
        self._starved, self._tokens_at = True, None
        if not self._paused and self._throttle.places(len(self._window)):
            self._tokens_at = max(self._bucket.ready_at(now), self._throttle.ready_at(now))

    def send(self, message: Pdu, now: float, context: object = None) -> int:
        """Send a request; returns its sequence_number, or 0 where `room` is 0: nothing has been sent then.

        `context` comes back with what becomes of it. Raises LocalProtocolError if the session is bound for other
        requests, and if a value does not fit its parameter; nothing has been sent then, either.
        """
        room = self.room(now)
        if not room:
            return 0
        command_id = int(message.command_id)
        if command_id not in self._may_send:
            raise LocalProtocolError(f"{type(message).__name__} in {self.state.name}", "smpp.session.state")
        sequence_number = self._window.next_after(self._sequence_number)
        self._out.append(encode(message if self.takes_tlvs else without_tlvs(message), sequence_number))
        self._sequence_number = sequence_number
        self._bucket.take(now)
        self._throttle.take(now)
        if command_id != _ALERT_NOTIFICATION:  # the one request that has no response
            self._window.add(Sent(sequence_number, command_id, context, now))
        self._timers = self._timers.transacted(self._limits, now)
        if room == 1:
            self._starve(now)
        return sequence_number

    def respond(self, sequence_number: int, message: Pdu, now: float, command_status: int = 0) -> bool:
        """Answer a request of `Received`; False if the session is gone.

        Raises LocalProtocolError if nobody waits for such a response, and if a value does not fit its parameter.
        """
        if self.state not in UP:
            return False
        key = sequence_number, int(message.command_id)
        count = self._owed.get(key, 0)
        if not count:
            raise LocalProtocolError(f"{type(message).__name__} {sequence_number} is not owed", "smpp.session.response")
        self._out.append(encode(message if self.takes_tlvs else without_tlvs(message), sequence_number, command_status))
        if count > 1:
            self._owed[key] = count - 1
        else:
            del self._owed[key]
        self._admission.settle()
        self._settle(now)
        return True

    # Responses come in

    def _receive_frame(self, frame: bytes, now: float) -> None:
        header = decode_header(frame)
        if header.command_id >= RESPONSE_BIT:
            self._receive_response(header, frame, now)
        else:
            self._receive_request(header, frame, now)

    def _receive_response(self, header: Header, frame: bytes, now: float) -> None:
        sent = self._window.answered(header.sequence_number, header.command_id)
        if sent is not None:
            self._answered(sent, header, frame, now)
            self._settle(now)
        elif self.state is SessionState.BINDING and self._bind is not None and self.role is Role.ESME:
            self._receive_bind_resp(self._bind, header, frame, now)
        elif header.command_id == _UNBIND | RESPONSE_BIT or (
            header.command_id == _GENERIC_NACK and header.sequence_number == self._unbind_sequence
        ):
            if self.state is SessionState.UNBINDING:
                self._run(Input.RCV_UNBIND_RESP, now)
        else:
            late = self._window.answered_late(header.sequence_number, header.command_id)
            if late is not None:
                self._answered(late, header, frame, now, late=True)

    def _answered(self, sent: Sent, header: Header, frame: bytes, now: float, *, late: bool = False) -> None:
        """A response to `sent`, or a generic_nack."""
        message = decode(header, frame)
        status = header.command_status
        if header.command_id == _GENERIC_NACK:
            status = status or CommandStatus.ESME_RUNKNOWNERR
        else:
            congestion_state = getattr(message, "congestion_state", None)
            if congestion_state is not None:
                self._throttle.congestion(congestion_state)
        self._transaction = True
        if status and retry_of(status) is Retry.THROTTLED:
            retry_at = self._throttle.throttled(sent.sent_at, now)
            self._starved = True  # what is handed back waits for the end of the pause
            self._events.append(Throttled(sent.sequence_number, sent.context, status, retry_at, late))
            return
        self._throttle.succeeded(sent.sent_at, now)
        self._events.append(
            Responded(sent.sequence_number, sent.context, status, message, now - sent.sent_at, late),
        )

    def _receive_bind_resp(self, bind: BindReceiver, header: Header, frame: bytes, now: float) -> None:
        """The answer to our bind; some peers echo a wrong sequence_number, so the command_id is what counts."""
        nack = header.command_id == _GENERIC_NACK and header.sequence_number == self._bind_sequence
        if header.command_id != bind.command_id | RESPONSE_BIT and not nack:
            return
        if header.command_status or nack:
            self._refusal = header.command_status or CommandStatus.ESME_RBINDFAIL
            self._run(Input.REFUSE, now)
            return
        message = decode(header, frame)
        assert isinstance(message, BindReceiverResp)
        theirs = message.sc_interface_version
        if theirs is None:
            theirs = wide_number(message.tlvs, Tag.SC_INTERFACE_VERSION)
        version = min(bind.interface_version, _SMPP_3_3 if theirs is None else theirs)
        if message.congestion_state is not None:
            self._throttle.congestion(message.congestion_state)
        self._agree(bind, message.system_id, version, now)

    # Requests come in

    def _receive_request(self, header: Header, frame: bytes, now: float) -> None:
        command_id = header.command_id
        if command_id in self._may_receive:
            self._process(header, frame, now)
        elif command_id == _ENQUIRE_LINK:
            self._out.append(encode(EnquireLinkResp(), header.sequence_number))
        elif command_id == _UNBIND and (self.state, Input.RCV_UNBIND) in TABLE:
            self._their_unbind = header.sequence_number
            self._run(Input.RCV_UNBIND, now)
        elif command_id in BOUND_AS and self.role is Role.MC:
            self._receive_bind(header, frame, now)
        elif command_id not in RESPONSES:
            self._receive_without_response(header, frame)
        elif command_id in _OWN or ever_issued_by(self.role.other, command_id):
            self._refuse_request(header, CommandStatus.ESME_RINVBNDSTS, f"in {self.state.name}")
        else:
            self._nack(header, CommandStatus.ESME_RINVCMDID, f"command_id {command_id:#x} is not the peer's to send")

    def _process(self, header: Header, frame: bytes, now: float) -> None:
        """A request that the session is bound for: the hot path."""
        self._transaction = True
        if header.command_id == _ALERT_NOTIFICATION:
            self._receive_alert(header, frame)
            return
        if not self._may_send:  # one side is leaving
            self._refuse_request(header, self._busy(), f"in {self.state.name}", leaving=True)
            return
        if self._admission.refusing:
            self._admission.shed(now)
            self._refuse_request(header, self._busy(), f"{self.unanswered} requests are unanswered")
            return
        try:
            message = decode(header, frame)
        except SmppError as error:
            self._refuse_request(header, error.command_status, error.message, frame)
            return
        key = header.sequence_number, header.command_id | RESPONSE_BIT
        self._owed[key] = self._owed.get(key, 0) + 1
        self._admission.admit(now)
        self._events.append(Received(header.sequence_number, message))

    def _receive_alert(self, header: Header, frame: bytes) -> None:
        try:
            self._events.append(Received(header.sequence_number, decode(header, frame)))
        except SmppError as error:
            self._nack(header, error.command_status, error.message, frame)

    def _receive_without_response(self, header: Header, frame: bytes) -> None:
        """An unknown PDU is told so (SMPP 3.4 §3.3); outbind and alert_notification have no place here, and no answer.

        A link that we dialled is bound already: there is nothing that an outbind could ask for.
        """
        if header.command_id in {_ALERT_NOTIFICATION, int(CommandId.OUTBIND)}:
            self._events.append(MessageRefused(header.command_id, CommandStatus.ESME_RINVBNDSTS, "ignored"))
        else:
            self._nack(header, CommandStatus.ESME_RINVCMDID, f"command_id {header.command_id:#x}", frame)

    def _receive_bind(self, header: Header, frame: bytes, now: float) -> None:
        if self.state is not SessionState.OPEN:
            already = CommandStatus.ESME_RALYBND if self.state in UP else CommandStatus.ESME_RINVBNDSTS
            self._refuse_request(header, already, f"in {self.state.name}")
            return
        self._bind_header = header
        try:
            message = decode(header, frame)
        except SmppError as error:
            self._refusal, self._refused_because = error.command_status, error.message
            self._run(Input.BAD_BIND, now)
            return
        assert isinstance(message, BindReceiver)
        self._bind = message
        self._run(Input.RCV_BIND, now)

    def _busy(self) -> CommandStatus:
        """What makes the peer send a request again, a little later."""
        return CommandStatus.ESME_RX_T_APPN if self.role is Role.ESME else CommandStatus.ESME_RTHROTTLED

    def _refuse_request(
        self, header: Header, command_status: int, reason: str, unread: bytes = b"", *, leaving: bool = False
    ) -> None:
        """Answer a request that has a response of its own; `unread` is the whole of one that could not be read."""
        # A response with an error is its header: nothing else has to be encoded, however many there are.
        self._out.append(_HEAD(HEADER_SIZE, header.command_id | RESPONSE_BIT, command_status, header.sequence_number))
        self._events.append(
            MessageRefused(header.command_id, command_status, reason, unread[:MAX_UNDECODABLE], leaving)
        )

    def _nack(self, header: Header, command_status: int, reason: str, unread: bytes = b"") -> None:
        self._out.append(encode(GenericNack(), header.sequence_number, command_status))
        self._events.append(MessageRefused(header.command_id, command_status, reason, unread[:MAX_UNDECODABLE]))

    def _lost_framing(self, error: SmppError, message: bytes, now: float) -> None:
        """The stream is lost: say so, then close (SMPP 3.4 §4.3). No sequence_number can be believed: 0."""
        self._out.append(encode(GenericNack(), 0, error.command_status))
        self._close(CloseReason.FRAMING, now, error.message, message)

    # The machine

    def _run(self, event: Input, now: float) -> None:
        """Take one step of the table."""
        row = TABLE.get((self.state, event))
        if row is None:
            raise LocalProtocolError(f"{event.name} in {self.state.name}", "smpp.session.state")
        action, self.state = row
        if self.state not in BOUND:
            self._may_send = _NONE
        getattr(self, action)(now)

    def _snd_bind(self, _now: float) -> None:
        assert self._bind is not None
        self._bind_sequence = self._send_own(self._bind)

    def _await_bind(self, now: float) -> None:
        """The timer session_init runs already."""

    def _ask_owner(self, _now: float) -> None:
        assert self._bind is not None
        self._events.append(BindRequested(self._bind))

    def _agree(self, bind: BindReceiver, peer: str, version: int, now: float) -> None:
        """Both sides want the session; who they are, and what they speak."""
        self.peer, self._version = peer, version
        self._run(BOUND_AS[bind.command_id][0], now)

    def _bound(self, now: float) -> None:
        if self._bind_header is not None:
            self._snd_bind_resp(self._bind_header)
        self.bound_as = self.state
        self._may_send = issued_by(self.role, self.state, self._version)
        self._may_receive = issued_by(self.role.other, self.state, self._version)
        self._timers = self._timers.bound(self._limits, now)
        self._events.append(Bound(self.state, self.peer, self._version, self.takes_tlvs))

    def _snd_bind_resp(self, header: Header) -> None:
        """Before 3.4 there were no TLVs: an ESME that speaks less is not sent any (SMPP 3.4 §3.4)."""
        response = RESPONSES[header.command_id]
        assert issubclass(response, BindReceiverResp)
        assert self._bind is not None
        knows = self._bind.interface_version >= _SMPP_3_4
        message = response(system_id=self._system_id, sc_interface_version=self._interface_version if knows else None)
        self._out.append(encode(message, header.sequence_number))

    def _refuse(self, now: float) -> None:
        detail = status_name(self._refusal)
        if self._bind_header is None:
            self._events.append(BindRefused(self._refusal, needs_a_person(self._refusal)))
            self._close(CloseReason.REFUSED_BY_PEER, now, detail)
            return
        response = RESPONSES[self._bind_header.command_id]
        self._out.append(encode(response(), self._bind_header.sequence_number, self._refusal))
        self._close(CloseReason.REFUSED, now, f"{detail} {self._refused_because}".rstrip())

    def _ignore(self, now: float) -> None:
        """Nothing to do."""

    def _begin_unbind(self, now: float) -> None:
        self._deadline = now + self._patience
        self._timers = self._timers.stopped()
        self._settle(now)

    def _receive_unbind(self, now: float) -> None:
        if self._parting is None:
            self._parting = CloseReason.LEFT
            self._deadline = now + self._limits.drain_deadline
        self._timers = self._timers.stopped()
        self._settle(now)

    def _snd_unbind(self, now: float) -> None:
        self._deadline = now + self._limits.response_timeout
        self._unbind_sequence = self._send_own(Unbind())

    def _snd_unbind_resp(self, _now: float) -> None:
        self._out.append(encode(UnbindResp(), self._their_unbind))

    def _farewell(self, now: float) -> None:
        self._snd_unbind_resp(now)
        self._close(self._parting or CloseReason.LEFT, now)

    def _unbound(self, now: float) -> None:
        self._close(self._parting or CloseReason.STOPPED, now)

    def _not_unbound(self, now: float) -> None:
        self._close(self._parting or CloseReason.STOPPED, now, "unbind was not answered")

    def _abandoned(self, now: float) -> None:
        self._close(CloseReason.ABANDONED, now)

    # Pieces

    def _received_frames(self, now: float) -> None:
        if self._may_send:
            self._timers = self._timers.heard(self._limits, now, transaction=self._transaction)
            self._transaction = False
            self._report_ready(now)

    def _report_ready(self, now: float) -> None:
        if self._starved and self.room(now):
            self._starved = False
            self._events.append(Ready())

    def _settle(self, now: float) -> None:
        """On the way out: go on once nothing is owed any more."""
        if not self._may_send and not self._owed and not len(self._window) and (self.state, Input.SETTLED) in TABLE:
            self._run(Input.SETTLED, now)

    def _expire_timers(self, now: float) -> None:
        match self._timers.expired(now):
            case Expired.SESSION_INIT:
                self.cut_off(CloseReason.SESSION_INIT, now)
            case Expired.UNANSWERED:
                self.cut_off(CloseReason.SILENT, now)
            case Expired.INACTIVITY:
                self._parting = CloseReason.INACTIVE
                self._run(Input.STOP, now)
            case Expired.ENQUIRE_LINK:
                self._timers = self._timers.asked(self._limits, now)
                self._send_own(EnquireLink())

    def _send_own(self, message: Pdu) -> int:
        """A request of the session itself: it takes no slot of the window."""
        self._sequence_number = self._window.next_after(self._sequence_number)
        self._out.append(encode(message, self._sequence_number))
        return self._sequence_number

    def _close(self, reason: CloseReason, _now: float, detail: str = "", message: bytes = b"") -> None:
        self.state = SessionState.CLOSED
        self._may_send = self._may_receive = _NONE
        self._deadline = self._message_due = None
        self._timers = self._timers.stopped()
        for sent in self._window.clear():
            self._events.append(Doubtful(sent.sequence_number, sent.context, Doubt.LOST))
        self._events.append(Closed(reason, detail, self.bound_as is not None, self.unanswered, message))
        self._owed.clear()
        self._admission = Admission(self._limits)
