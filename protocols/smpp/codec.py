"""Octets to SMPP headers, TLVs and frames, and back (SMPP 3.4 §3.2 and §5.1). Knows no message's body."""

from collections.abc import Iterable
from enum import IntEnum
from struct import Struct
from typing import Final

import msgspec

from protocols.errors import LocalProtocolError
from protocols.framer import StreamFramer
from protocols.smpp.errors import CommandStatus, SmppError

HEADER_SIZE: Final = 16
TLV_HEADER_SIZE: Final = 4

MAX_PDU_SIZE: Final = 73728
"""Octets of the longest PDU that we read or write: a message_payload of 64 KiB, and 8 KiB for what is beside it."""
MAX_TLVS: Final = 256
"""TLVs without an attribute of their own that one message keeps; what comes after them is skipped."""

MIN_SEQUENCE_NUMBER: Final = 1
MAX_SEQUENCE_NUMBER: Final = 0x7FFFFFFF

RESPONSE_BIT: Final = 0x80000000
"""Set in the command_id of every response, generic_nack included."""

_FOUR_WORDS: Final = Struct(">IIII")
_WORD: Final = Struct(">I")
_TLV_HEADER: Final = Struct(">HH")


class CommandId(IntEnum):
    """The operations (SMPP 3.4 §5.1.2.1, 5.0 §4.7.5); a response has its request's id and RESPONSE_BIT."""

    BIND_RECEIVER = 0x00000001
    BIND_TRANSMITTER = 0x00000002
    QUERY_SM = 0x00000003
    SUBMIT_SM = 0x00000004
    DELIVER_SM = 0x00000005
    UNBIND = 0x00000006
    REPLACE_SM = 0x00000007
    CANCEL_SM = 0x00000008
    BIND_TRANSCEIVER = 0x00000009
    OUTBIND = 0x0000000B
    ENQUIRE_LINK = 0x00000015
    SUBMIT_MULTI = 0x00000021
    ALERT_NOTIFICATION = 0x00000102
    DATA_SM = 0x00000103
    BROADCAST_SM = 0x00000111
    QUERY_BROADCAST_SM = 0x00000112
    CANCEL_BROADCAST_SM = 0x00000113
    GENERIC_NACK = 0x80000000
    BIND_RECEIVER_RESP = 0x80000001
    BIND_TRANSMITTER_RESP = 0x80000002
    QUERY_SM_RESP = 0x80000003
    SUBMIT_SM_RESP = 0x80000004
    DELIVER_SM_RESP = 0x80000005
    UNBIND_RESP = 0x80000006
    REPLACE_SM_RESP = 0x80000007
    CANCEL_SM_RESP = 0x80000008
    BIND_TRANSCEIVER_RESP = 0x80000009
    ENQUIRE_LINK_RESP = 0x80000015
    SUBMIT_MULTI_RESP = 0x80000021
    DATA_SM_RESP = 0x80000103
    BROADCAST_SM_RESP = 0x80000111
    QUERY_BROADCAST_SM_RESP = 0x80000112
    CANCEL_BROADCAST_SM_RESP = 0x80000113


class Header(msgspec.Struct, frozen=True, gc=False):
    """The 16 octets in front of every PDU (SMPP 3.4 §3.2). `command_length` counts them too."""

    command_length: int
    command_id: int
    command_status: int
    sequence_number: int

    @property
    def response(self) -> bool:
        """A response or a generic_nack, not a request."""
        return self.command_id >= RESPONSE_BIT


class Tlv(msgspec.Struct, frozen=True, gc=False):
    """One optional parameter as it stands on the wire, its value not looked into (SMPP 3.4 §5.3.1)."""

    tag: int
    value: bytes


def wide_number(tlvs: Iterable[Tlv], tag: int) -> int | None:
    """The number of a parameter that stands in another number of octets than the specification gives it: 1, 2 or 4."""
    values = (tlv.value for tlv in tlvs if tlv.tag == tag and len(tlv.value) in (1, 2, 4))
    return next((int.from_bytes(value, "big") for value in values), None)


def next_sequence_number(sequence_number: int) -> int:
    """The number of the request after this one: 1 to 0x7FFFFFFF, then 1 again (SMPP 5.0 §4.7.24)."""
    return sequence_number + 1 if sequence_number < MAX_SEQUENCE_NUMBER else MIN_SEQUENCE_NUMBER


def decode_header(frame: bytes) -> Header:
    """Read the header of one whole PDU, as `Framer` cuts it out."""
    if len(frame) < HEADER_SIZE:
        raise _bad_command_length(len(frame))
    command_length, command_id, command_status, sequence_number = _FOUR_WORDS.unpack_from(frame)
    if command_length != len(frame):
        raise _bad_command_length(command_length)
    return Header(command_length, command_id, command_status, sequence_number)


def encode_pdu(command_id: int, command_status: int, sequence_number: int, body: bytes) -> bytes:
    """A whole PDU: header and encoded body.

    Raises LocalProtocolError for a PDU longer than MAX_PDU_SIZE, a request with a status, and a request whose number is
    not 1 to 0x7FFFFFFF. A response gives back whatever number its request had.
    """
    command_length = HEADER_SIZE + len(body)
    if command_length > MAX_PDU_SIZE:
        raise LocalProtocolError(f"a PDU of {command_length} octets is longer than we send", "smpp.encode.size")
    if command_id < RESPONSE_BIT:
        if command_status:
            raise LocalProtocolError("only a response has a command_status", "smpp.encode.status")
        if not MIN_SEQUENCE_NUMBER <= sequence_number <= MAX_SEQUENCE_NUMBER:
            raise LocalProtocolError(f"{sequence_number} is no request's sequence_number", "smpp.encode.sequence")
    return _FOUR_WORDS.pack(command_length, command_id, command_status, sequence_number) + body


def encode_tlv(tlv: Tlv) -> bytes:
    """One TLV; struct.error if its value is longer than 65,535 octets."""
    return _TLV_HEADER.pack(tlv.tag, len(tlv.value)) + tlv.value


def _bad_command_length(length: int) -> SmppError:
    return SmppError(CommandStatus.ESME_RINVCMDLEN, f"command_length {length}", fatal=True)


class Framer(StreamFramer[SmppError]):
    """Cuts a stream of octets into whole PDUs."""

    def _cut(self, data: bytes | bytearray) -> tuple[list[bytes], int]:
        """Whole PDUs at the front of `data`, and how many octets they have."""
        frames: list[bytes] = []
        position, end = 0, len(data)
        while end - position >= 4:
            (length,) = _WORD.unpack_from(data, position)
            if not HEADER_SIZE <= length <= MAX_PDU_SIZE:
                self.error = _bad_command_length(length)
                return frames, end
            if position + length > end:
                break
            frames.append(bytes(data[position : position + length]))
            position += length
        return frames, position
