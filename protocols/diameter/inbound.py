"""Requests that come in: what the node answers by itself, and what a handler gets (RFC 6733 §6.1, §6.2, §7.1)."""

from collections.abc import Callable, Iterable, Mapping
from struct import Struct
from typing import Final, Protocol

import msgspec

from protocols.diameter.capabilities import error_body
from protocols.diameter.codec import (
    FLAG_ERROR,
    FLAG_PROXIABLE,
    HEADER_SIZE,
    Header,
    copy_of_avp,
    encode_message,
)
from protocols.diameter.errors import MALFORMED, DiameterError, ResultCode
from protocols.diameter.identity import NodeIdentity, fold
from protocols.diameter.node_events import HandlerFailed, MessageRejected, NodeEvent, RequestsRefused
from protocols.diameter.routing import MAX_ECHO, PROXY_INFO, SESSION_ID, Routing, scan
from protocols.errors import LocalProtocolError
from protocols.tap import MAX_UNDECODABLE

_TWO_WORDS: Final = Struct(">II").unpack_from

_PROXY_INFO_CODE: Final = PROXY_INFO.to_bytes(4, "big")
_CREDIT_CONTROL: Final = 272
_CREDIT_CONTROL_ECHO: Final = frozenset({258, 415, 416})
"""Auth-Application-Id, CC-Request-Type and -Number: a CCA has them, and some clients drop one without."""
_BAD_REQUEST_FLAGS: Final = 0x2F
"""E and the reserved bits, which no request may set."""
_TOO_BUSY: Final = DiameterError(ResultCode.DIAMETER_TOO_BUSY, "too busy")
TELL_SECONDS: Final = 1.0
"""How often it is told that requests of a peer are refused: a word for each costs more than the refusal."""


class Carrier(Protocol):
    """The connection that a request came by."""

    identity: str
    relay: bool

    def send_answer(self, message: bytes, *, rejected: bool) -> None:
        """Send it, or count it as dropped if the connection is gone."""

    def evict(self, detail: str) -> None:
        """End the connection at once, without a word."""


class Request:
    """A request for a handler; answer it once, now or later, with `answer` or `reject`.

    Attributes:
        frame: the whole message.
        peer: the identity of the connection that it came by; with a relay, not its Origin-Host.
        received_at: the node's clock when its last octet came.
    """

    __slots__ = ("_answered", "_carrier", "_inbound", "_proxy_info", "frame", "header", "peer", "received_at")

    def __init__(self, header: Header, frame: bytes, received_at: float, carrier: Carrier, inbound: "Inbound") -> None:
        self.header = header
        self.frame = frame
        self.peer = carrier.identity
        self.received_at = received_at
        self._carrier = carrier
        self._inbound = inbound
        self._proxy_info = b""
        self._answered = False

    def answer(self, body: bytes, error: bool = False) -> None:  # noqa: FBT001, FBT002 - the E bit is a bit
        """Send these AVPs as the answer, and the request's Proxy-Info behind them (RFC 6733 §6.2)."""
        self._send(body + self._proxy_info, FLAG_ERROR if error else 0, rejected=error)

    def reject(self, error: DiameterError) -> None:
        """Answer with an error: 3xxx in the grammar of §7.2 under the E bit, others in the command's own."""
        protocol_error = error.result_code // 1000 == 3
        session_id, echo, proxy_info = _given_back(self.frame, self.header.command_code)
        body = error_body(self._inbound.identity, error, session_id) + (b"" if protocol_error else echo)
        self._send(body + proxy_info, FLAG_ERROR if protocol_error else 0, rejected=True)
        self._inbound.report_rejected(self, error)

    def drop_connection(self, detail: str) -> None:
        """End the connection instead of answering: nobody knows what the answer would be, and the peer has to ask again."""
        self._answered = True
        self._carrier.evict(detail)

    def _send(self, body: bytes, error_flag: int, *, rejected: bool) -> None:
        if self._answered:
            raise LocalProtocolError("this request has been answered", "diameter.request.answered")
        header = self.header
        flags = header.flags & FLAG_PROXIABLE | error_flag
        message = encode_message(
            flags, header.command_code, header.application_id, header.hop_by_hop, header.end_to_end, body
        )
        self._answered = True
        self._carrier.send_answer(message, rejected=rejected)

    def _hand_over(self, application: "Application", proxy_info: bytes) -> None:
        self._proxy_info = proxy_info
        try:
            application.handler(self)
        except DiameterError as error:
            self._give_up(error)
        except Exception as error:  # noqa: BLE001 - one request's fault must not take the connection's others with it
            self._inbound.on_event(HandlerFailed(self.peer, self.header.command_code, error))
            self._give_up(DiameterError(ResultCode.DIAMETER_UNABLE_TO_COMPLY, "internal error"))

    def _give_up(self, error: DiameterError) -> None:
        if not self._answered:
            self.reject(error)


class Application(msgspec.Struct, frozen=True):
    """One application of ours: what takes its requests, and which commands it has (others are answered 3001)."""

    handler: Callable[[Request], None]
    commands: frozenset[int]
    vendor_id: int = 0
    """Not 0: advertised inside a Vendor-Specific-Application-Id (RFC 6733 §6.11)."""


class Inbound:
    """The node's own answers (RFC 6733 §6.1.4, §7.1.3), and the way to the handlers."""

    def __init__(
        self,
        identity: NodeIdentity,
        applications: Mapping[int, Application],
        on_event: Callable[[NodeEvent], None],
    ) -> None:
        self.identity = identity
        self.on_event = on_event
        self._applications = applications
        self._hosts = frozenset(fold(host).encode() for host in (identity.origin_host, *identity.aliases))
        self._realms = frozenset(fold(realm).encode() for realm in (identity.origin_realm, *identity.served_realms))
        self._own_host = fold(identity.origin_host).encode()
        self._too_busy = error_body(identity, _TOO_BUSY)
        self._refused: dict[str, tuple[float, int]] = {}
        """By peer: when it was told last that its requests are refused, and how many were since."""

    def receive(self, carrier: Carrier, header: Header, frame: bytes, now: float, *, busy: bool) -> None:
        """Answer a request or hand it to its application; `busy`: the connection takes no more of them."""
        if busy:
            (message,) = self.refuse(carrier.identity, [(header, frame)], now)
            carrier.send_answer(message, rejected=True)
            return
        request = Request(header, frame, now, carrier, self)
        try:
            application = self._application(header)
            routing = scan(frame)
            self._check_route(routing, carrier, frame)
        except DiameterError as error:
            request.reject(error)
            return
        request._hand_over(application, routing.proxy_info)  # noqa: SLF001 - a request is this module's own

    def refuse(self, identity: str, requests: Iterable[tuple[Header, bytes]], now: float) -> list[bytes]:
        """Make the answers 3004 to a peer's requests at the least cost: little is read, and most of each is made already."""
        too_busy, messages = self._too_busy, []
        for header, frame in requests:
            session_id, proxy_info = _in_haste(frame)
            flags, body = header.flags & FLAG_PROXIABLE | FLAG_ERROR, session_id + too_busy + proxy_info
            numbers = header.command_code, header.application_id, header.hop_by_hop, header.end_to_end
            messages.append(encode_message(flags, *numbers, body))
        self._report_refused(identity, len(messages), now)
        return messages

    def _report_refused(self, identity: str, requests: int, now: float) -> None:
        told_at, untold = self._refused.get(identity, (float("-inf"), 0))
        if now < told_at + TELL_SECONDS:
            self._refused[identity] = told_at, untold + requests
        else:
            self._refused[identity] = now, 0
            self.on_event(RequestsRefused(identity, untold + requests))

    def report_rejected(self, request: Request, error: DiameterError) -> None:
        """Report a request that was answered with an error."""
        header, code = request.header, int(error.result_code)
        message = request.frame[:MAX_UNDECODABLE] if code in MALFORMED else b""
        self.on_event(
            MessageRejected(request.peer, header.command_code, header.application_id, code, error.message, message)
        )

    def _application(self, header: Header) -> Application:
        if header.flags & _BAD_REQUEST_FLAGS:
            raise DiameterError(ResultCode.DIAMETER_INVALID_HDR_BITS, f"header flags {header.flags:#04x}")
        application = self._applications.get(header.application_id)
        if application is None and header.application_id:
            raise DiameterError(
                ResultCode.DIAMETER_APPLICATION_UNSUPPORTED, f"application {header.application_id} is not spoken here"
            )
        if application is None or header.command_code not in application.commands:
            raise DiameterError(
                ResultCode.DIAMETER_COMMAND_UNSUPPORTED,
                f"command {header.command_code} of application {header.application_id} is not known here",
            )
        return application

    def _check_route(self, routing: Routing, carrier: Carrier, frame: bytes) -> None:
        if routing.route_records and any(_fold(host) == self._own_host for host in routing.route_records):
            raise DiameterError(ResultCode.DIAMETER_LOOP_DETECTED, "Route-Record names this node")
        realm, host = routing.destination_realm, routing.destination_host
        if realm and realm not in self._realms and _fold(realm) not in self._realms:
            raise DiameterError(ResultCode.DIAMETER_REALM_NOT_SERVED, "Destination-Realm is not served here")
        if host and host not in self._hosts and _fold(host) not in self._hosts:
            raise DiameterError(ResultCode.DIAMETER_UNABLE_TO_DELIVER, "Destination-Host is not this node")
        if not carrier.relay and routing.origin_host and not _is(routing.origin_host, carrier.identity):
            failed = copy_of_avp(frame, routing.origin_position)
            message = "Origin-Host is not the peer, which is no relay"
            raise DiameterError(ResultCode.DIAMETER_INVALID_AVP_VALUE, message, failed)


def _is(host: bytes, identity: str) -> bool:
    return host == identity.encode() or _fold(host) == fold(identity).encode()


def _fold(identity: bytes) -> bytes:
    return identity.lower().rstrip(b".")


def _in_haste(frame: bytes) -> tuple[bytes, bytes]:
    """Session-Id and Proxy-Info, without a look at the rest where the one stands first, as it should, and there is no other."""
    code, word = _TWO_WORDS(frame, HEADER_SIZE) if len(frame) >= HEADER_SIZE + 8 else (0, 0)
    length = word & 0xFFFFFF
    following = HEADER_SIZE + (length + 3 & 0x1FFFFFC)
    first = code == SESSION_ID and word < 0x80000000 and 8 <= length <= MAX_ECHO and following <= len(frame)
    if first and _PROXY_INFO_CODE not in frame:
        return frame[HEADER_SIZE:following], b""
    session_id, _, proxy_info = _given_back(frame, 0)
    return session_id, proxy_info


def _given_back(frame: bytes, command_code: int) -> tuple[bytes, bytes, bytes]:
    """Session-Id, the AVPs that a CCA repeats, and Proxy-Info: as far as the message can be read."""
    echoed = _CREDIT_CONTROL_ECHO if command_code == _CREDIT_CONTROL else frozenset()
    session_id = echo = proxy_info = b""
    position, end = HEADER_SIZE, len(frame)
    while position + 8 <= end:
        code, word = _TWO_WORDS(frame, position)
        length = word & 0xFFFFFF
        following = position + (length + 3 & 0x1FFFFFC)
        if length < 8 or following > end:
            break
        if word >= 0x80000000 or length > MAX_ECHO:
            pass
        elif code == SESSION_ID and not session_id:
            session_id = frame[position:following]
        elif code == PROXY_INFO:
            proxy_info += frame[position:following]
        elif code in echoed and length == 12:
            echo += frame[position:following]
        position = following
    return session_id, echo[:36], proxy_info if len(proxy_info) <= MAX_ECHO else b""
