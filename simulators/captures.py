"""Captured traffic read back: whole SMPP and Diameter messages, from files of `tpo trace` and from those of tcpdump.

Files of link type 252 hold whole messages (Wireshark's exported PDUs). Of any other link type scapy reads the packets, and
here the TCP streams are put together: segments in the order of their sequence numbers, what came twice once. Where octets are
missing a stream is read up to there. scapy is GPL-2.0-only, so it is in the extra `captures` and imported only here.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from protocols.diameter.codec import Framer as DiameterFramer
from protocols.smpp.codec import CommandId
from protocols.smpp.codec import Framer as SmppFramer
from protocols.tap import NOWHERE, Endpoint

MAX_FILE: Final = 1 << 30
"""Octets of a file; a longer one is to be cut first (editcap -c)."""
MAX_MESSAGES: Final = 1_000_000
DIAMETER: Final = "diameter"
SMPP: Final = "smpp"

_WIRESHARK_UPPER_PDU: Final = 252
_END, _DISSECTOR, _SOURCE_PORT, _DESTINATION_PORT = 0, 12, 25, 26
_SOURCES, _DESTINATIONS = (20, 22), (21, 23)
_HALF: Final = 1 << 31
_COMMANDS: Final = frozenset(map(int, CommandId))
Stream = tuple[Endpoint, Endpoint]


class CaptureUnreadable(Exception):
    """The file is no capture, or cannot be had; the text says what and why."""


class Seen(msgspec.Struct, frozen=True):
    """A whole message; `at` is in seconds since 1970."""

    at: float
    protocol: str
    source: Endpoint
    destination: Endpoint
    message: bytes


class Capture(msgspec.Struct, frozen=True):
    """What a file holds: its messages in order, and what could not be read of it, in words."""

    messages: list[Seen]
    problems: list[str]


class _Segment(msgspec.Struct, frozen=True):
    """A piece of a TCP stream."""

    at: float
    sequence: int
    data: bytes


def read(path: Path) -> Capture:
    """Read a capture file (pcap or pcapng); CaptureUnreadable."""
    try:
        if path.exists() and not path.is_file():
            raise CaptureUnreadable(f"{path} is no regular file")
        if path.stat().st_size > MAX_FILE:
            raise CaptureUnreadable(f"{path} has more than {MAX_FILE >> 20} MiB: cut it first, with editcap -c")
    except OSError as error:
        raise CaptureUnreadable(f"{path} cannot be read: {error.strerror}") from None
    problems: list[str] = []
    messages: list[Seen] = []
    segments: dict[Stream, list[_Segment]] = {}
    for at, linktype, packet in _packets(path, problems):
        if linktype == _WIRESHARK_UPPER_PDU:
            messages += _exported(at, packet)
        else:
            _note_segment(segments, at, linktype, packet)
        if len(messages) > MAX_MESSAGES:
            raise CaptureUnreadable(f"{path} has more than {MAX_MESSAGES} messages: cut it first, with editcap -c")
    for stream, pieces in segments.items():
        messages += _read_stream(stream, pieces, problems)
    messages.sort(key=lambda seen: seen.at)
    return Capture(messages, problems)


def _packets(path: Path, problems: list[str]) -> Iterator[tuple[float, int, bytes]]:
    """Return the time, link type and octets of each packet."""
    raw = _reader(path)
    try:
        while True:
            try:
                packet, told = next(raw)
            except StopIteration:
                return
            except Exception as error:  # noqa: BLE001  (scapy raises whatever a broken record makes it raise)
                problems.append(f"the file is broken, and read up to there ({type(error).__name__})")
                return
            if len(packet) < getattr(told, "caplen", 0):
                problems.append("the file ends in the middle of a packet")
                return
            yield _time(told), getattr(told, "linktype", None) or raw.linktype, packet
    finally:
        raw.close()


def _reader(path: Path) -> Any:  # noqa: ANN401  (scapy's readers have no common type)
    logging.getLogger("scapy").setLevel(logging.ERROR)
    try:
        import scapy.layers.inet6  # noqa: PLC0415  (registers the link types; only now is scapy wanted)
        import scapy.layers.l2  # noqa: F401, PLC0415  (as above)
        from scapy.error import Scapy_Exception  # noqa: PLC0415  (as above)
        from scapy.utils import RawPcapReader  # noqa: PLC0415  (as above)
    except ImportError:
        raise CaptureUnreadable("scapy is not installed: pip install 'tpo-gateway[captures]'") from None
    try:
        return RawPcapReader(str(path))
    except (Scapy_Exception, OSError, EOFError) as error:
        raise CaptureUnreadable(f"{path} is no pcap or pcapng file: {error}") from None


def _time(told: Any) -> float:  # noqa: ANN401  (as above: pcap's and pcapng's metadata)
    if hasattr(told, "sec"):
        return float(told.sec) + float(told.usec) / 1_000_000
    return float((told.tshigh << 32) + told.tslow) / float(told.tsresol)


# Exported PDUs


def _exported(at: float, packet: bytes) -> Iterable[Seen]:
    """Read one record of link type 252; one of another protocol is passed over."""
    tags: dict[int, bytes] = {}
    position = 0
    while position + 4 <= len(packet):
        tag, size = (
            int.from_bytes(packet[position : position + 2], "big"),
            int.from_bytes(packet[position + 2 : position + 4], "big"),
        )
        position += 4
        if tag == _END:
            break
        tags[tag] = packet[position : position + size]
        position += size
    protocol = tags.get(_DISSECTOR, b"").rstrip(b"\0").decode("latin-1")
    if protocol not in (SMPP, DIAMETER):
        return ()
    source = _endpoint(tags, _SOURCES, _SOURCE_PORT)
    return (Seen(at, protocol, source, _endpoint(tags, _DESTINATIONS, _DESTINATION_PORT), packet[position:]),)


def _endpoint(tags: dict[int, bytes], addresses: tuple[int, int], port: int) -> Endpoint:
    from ipaddress import ip_address  # noqa: PLC0415  (for these files only)

    packed = next((tags[tag] for tag in addresses if tag in tags), b"")
    if len(packed) not in (4, 16):
        return NOWHERE
    return str(ip_address(packed)), int.from_bytes(tags.get(port, b""), "big")


# TCP


def _note_segment(segments: dict[Stream, list[_Segment]], at: float, linktype: int, packet: bytes) -> None:
    from scapy.config import conf  # noqa: PLC0415  (`_reader` has imported it)
    from scapy.layers.inet import TCP  # noqa: PLC0415  (as above)
    from scapy.packet import Raw  # noqa: PLC0415  (as above)

    layer = conf.l2types.num2layer.get(linktype)
    if layer is None:
        raise CaptureUnreadable(
            f"the file's link type {linktype} is not known: capture with -i any, or on one interface"
        )
    found = layer(packet)
    if TCP not in found:
        return
    tcp, below = found[TCP], found[TCP].underlayer
    data = bytes(tcp[Raw].load) if Raw in tcp else b""  # what fills a short frame of Ethernet is no Raw
    if data:
        stream = ((str(below.src), int(tcp.sport)), (str(below.dst), int(tcp.dport)))
        segments.setdefault(stream, []).append(_Segment(at, int(tcp.seq), data))


def _read_stream(stream: Stream, pieces: list[_Segment], problems: list[str]) -> Iterator[Seen]:
    """Put a stream together and cut it into messages, as far as it goes."""
    first = pieces[0].sequence
    ordered = sorted(pieces, key=lambda piece: (_distance(first, piece.sequence), piece.at))
    due = _distance(first, ordered[0].sequence)
    framer: SmppFramer | DiameterFramer | None = None
    for piece in ordered:
        start = _distance(first, piece.sequence)
        if start > due:
            problems.append(f"{start - due} octets are missing in the stream {_words(stream)}: it is read up to there")
            return
        data = piece.data[due - start :]
        due += len(data)
        if not data:
            continue
        if framer is None:
            protocol = _protocol(data)
            if protocol is None:
                return
            framer = SmppFramer() if protocol == SMPP else DiameterFramer()
        for frame in framer.feed(data):
            yield Seen(piece.at, protocol or "", *stream, frame)
        if framer.error is not None:
            problems.append(f"the stream {_words(stream)} is no {protocol} from some octet on: it is read up to there")
            return


def _distance(first: int, sequence: int) -> int:
    """How far a sequence number lies behind the first one seen; before it: negative. Numbers begin again at 2**32."""
    distance = sequence - first & 0xFFFFFFFF
    return distance if distance < _HALF else distance - (1 << 32)


def _protocol(data: bytes) -> str | None:
    """Return which protocol a stream speaks, by its first message."""
    if (
        len(data) >= 4
        and data[0] == 1
        and int.from_bytes(data[1:4], "big") % 4 == 0
        and int.from_bytes(data[1:4], "big") >= 20
    ):
        return DIAMETER
    if (
        len(data) >= 8
        and 16 <= int.from_bytes(data[:4], "big") <= 65536
        and int.from_bytes(data[4:8], "big") in _COMMANDS
    ):
        return SMPP
    return None


def _words(stream: Stream) -> str:
    (source, source_port), (destination, destination_port) = stream
    return f"{source}:{source_port} -> {destination}:{destination_port}"
