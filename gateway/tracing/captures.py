"""A capture file of exported messages, link type 252 (WIRESHARK_UPPER_PDU): no root, no TCP to invent, and TLS is no obstacle.

Each record begins with tags (type and length of two octets each, the value filled to four) that name the dissector and the
addresses, then follows the message (Wireshark, epan/exported_pdu.h; seen with tshark 4.0). Records are of libpcap's own format,
with microseconds. Only whole records are written, so a file can be read while it grows; of more than 256 KiB the beginning.
"""

from ipaddress import ip_address
from struct import Struct
from typing import Final

from protocols.tap import Captured, Endpoint

DISSECTORS: Final = {
    "smpp": "smpp",
    "diameter": "diameter",
    "http": "http",
    "ctrl": "gsm_ipa",
    "vty": "data-text-lines",
}
"""Wireshark's name for what reads each protocol."""

_HEADER: Final = Struct("<IHHiIII")
_RECORD: Final = Struct("<IIII")
_TAG: Final = Struct(">HH")
_MAGIC, _WIRESHARK_UPPER_PDU, _SNAPLEN = 0xA1B2C3D4, 252, 1 << 18
_END, _DISSECTOR, _PORT_TYPE, _SOURCE_PORT, _DESTINATION_PORT = 0, 12, 24, 25, 26
_SOURCE: Final = {4: 20, 6: 22}
_DESTINATION: Final = {4: 21, 6: 23}
_TCP: Final = 2

FILE_HEADER: Final = _HEADER.pack(_MAGIC, 2, 4, 0, 0, _SNAPLEN, _WIRESHARK_UPPER_PDU)
"""How a file begins."""


def record(captured: Captured, message: bytes, at: int) -> bytes:
    """Write a message as a record of the file; `at` is its time in UTC microseconds, `message` what is to be seen of it."""
    source, destination = captured.local, captured.remote
    if not captured.outgoing:
        source, destination = destination, source
    dissector = DISSECTORS[captured.protocol].encode()
    tags = [
        _tag(_DISSECTOR, dissector),
        _address(_SOURCE, source),
        _address(_DESTINATION, destination),
        _tag(_PORT_TYPE, _TCP.to_bytes(4, "big")),
        _tag(_SOURCE_PORT, source[1].to_bytes(4, "big")),
        _tag(_DESTINATION_PORT, destination[1].to_bytes(4, "big")),
        _tag(_END, b""),
    ]
    packet = b"".join(tags) + message
    kept = packet[:_SNAPLEN]
    return _RECORD.pack(at // 1_000_000, at % 1_000_000, len(kept), len(packet)) + kept


def _tag(number: int, value: bytes) -> bytes:
    padded = value + bytes(-len(value) % 4)
    return _TAG.pack(number, len(padded)) + padded


def _address(tags: dict[int, int], endpoint: Endpoint) -> bytes:
    """Write an address; a host that is known by name only has none."""
    try:
        address = ip_address(endpoint[0])
    except ValueError:
        return b""
    return _tag(tags[address.version], address.packed)
