"""The AVPs of a request that say where it comes from and goes to (RFC 6733 §6.1, §6.7), read without the rest of it."""

from struct import Struct
from typing import Final

import msgspec

from protocols.diameter.avp_validation import STANDARD, Profile
from protocols.diameter.codec import HEADER_SIZE, bad_avp_length
from protocols.diameter.errors import DiameterError, ResultCode
from protocols.diameter.layouts import Layout, Layouts, function_of

_TWO_WORDS: Final = Struct(">II").unpack_from

SESSION_ID: Final = 263
PROXY_INFO: Final = 284
_ORIGIN_HOST: Final = 264
_ROUTE_RECORD: Final = 282
_DESTINATION_REALM: Final = 283
_DESTINATION_HOST: Final = 293
_ROUTING: Final = frozenset(
    {SESSION_ID, _ORIGIN_HOST, _ROUTE_RECORD, _DESTINATION_REALM, PROXY_INFO, _DESTINATION_HOST}
)
MAX_ECHO: Final = 16384
"""Octets that an answer may have to give back (Session-Id, Proxy-Info): it must not outgrow what we send."""


class Routing(msgspec.Struct, gc=False):
    """The AVPs of a request's top level that say where it comes from and goes to; the last of each that may occur once."""

    origin_host: bytes = b""
    destination_host: bytes = b""
    destination_realm: bytes = b""
    route_records: tuple[bytes, ...] = ()
    proxy_info: bytes = b""
    """Whole AVPs, as they came."""
    origin_position: int = 0


def scan(frame: bytes) -> Routing:
    """Read the routing AVPs of a whole message; DiameterError for a broken AVP length, or what is too long to give back."""
    routing = _layouts.read(Routing, frame, STANDARD)
    if routing is None:
        routing = _scan(frame)
        _layouts.missed(Routing, frame, STANDARD)
    return routing


def _scan(frame: bytes) -> Routing:
    routing = Routing()
    position, end = HEADER_SIZE, len(frame)
    while position < end:
        if position + 8 > end:
            raise bad_avp_length(frame, position, end)
        code, word = _TWO_WORDS(frame, position)
        length = word & 0xFFFFFF
        following = position + (length + 3 & 0x1FFFFFC)
        if length < 8 or following > end:
            raise bad_avp_length(frame, position, end)
        if code in _ROUTING and word < 0x80000000:
            _take(routing, frame, code, position, length)
        position = following
    return routing


def _take(routing: Routing, frame: bytes, code: int, position: int, length: int) -> None:
    data = frame[position + 8 : position + length]
    if code == _ORIGIN_HOST:
        routing.origin_host, routing.origin_position = data, position
    elif code == _DESTINATION_REALM:
        routing.destination_realm = data
    elif code == _DESTINATION_HOST:
        routing.destination_host = data
    elif code == _ROUTE_RECORD:
        routing.route_records += (data,)
    elif code == PROXY_INFO:
        routing.proxy_info += frame[position : position + (length + 3 & ~3)]
    if length > MAX_ECHO or len(routing.proxy_info) > MAX_ECHO:
        raise DiameterError(ResultCode.DIAMETER_RESOURCES_EXCEEDED, f"AVP {code} is too long to be given back")


def _learn(_cls: type[msgspec.Struct], frame: bytes, _profile: Profile) -> Layout:
    """The layout of a message that could be scanned: the headers of its top level are to stay the same."""
    mask, position, origin_position = bytearray(len(frame)), HEADER_SIZE, 0
    data: dict[int, list[str]] = {code: [] for code in _ROUTING}
    whole: list[str] = []
    while position < len(frame):
        code, word = _TWO_WORDS(frame, position)
        length = word & 0xFFFFFF
        following = position + (length + 3 & ~3)
        mask[position : position + 8] = b"\xff" * 8
        if code in _ROUTING and word < 0x80000000:
            data[code].append(f"frame[{position + 8}:{position + length}]")
            if code == _ORIGIN_HOST:
                origin_position = position
            elif code == PROXY_INFO:
                whole.append(f"frame[{position}:{following}]")
        position = following
    once = [(data[code] or ["b''"])[-1] for code in (_ORIGIN_HOST, _DESTINATION_HOST, _DESTINATION_REALM)]
    records = "".join(f"{record}, " for record in data[_ROUTE_RECORD])
    expression = f"Routing({', '.join(once)}, ({records}), {' + '.join(whole) or repr(b'')}, {origin_position})"
    octets = int.from_bytes(mask, "big")
    return Layout(octets, int.from_bytes(frame, "big") & octets, function_of(expression, {"Routing": Routing}))


_layouts: Final = Layouts(_learn)
