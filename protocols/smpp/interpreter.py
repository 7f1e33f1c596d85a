"""The slow codec: reads the plan of a class field by field, as the specification tells it.

It says what the generated codec must do; tests hold the two against each other.
"""

from struct import Struct
from struct import error as StructError  # noqa: N812 - the standard library spells its class in lower case
from typing import Any, Final

import msgspec

from protocols.errors import LocalProtocolError
from protocols.smpp.codec import HEADER_SIZE, RESPONSE_BIT, TLV_HEADER_SIZE, Header, Tlv, encode_pdu, encode_tlv
from protocols.smpp.errors import SmppError
from protocols.smpp.fields import (
    NUMBER_FORMATS,
    CStr,
    FieldPlan,
    Form,
    Octets,
    Repeated,
    Time,
    UInt,
    bad_dest_flag,
    bad_sm_length,
    c_string,
    check_one_text,
    check_remainder,
    keep,
    octet_string,
    plan,
    time_string,
    too_short,
)
from protocols.smpp.messages import COMMANDS, Pdu, UnknownPdu
from protocols.smpp.tolerant_decode import decode_response

_FORMATS: Final = {size: Struct(text) for size, text in NUMBER_FORMATS.items()}


def decode(header: Header, frame: bytes) -> Pdu:
    """The body of a whole PDU, as `generated.decode` gives it; raises SmppError."""
    cls = COMMANDS.get(header.command_id)
    if cls is None:
        return UnknownPdu(header.command_id, frame[HEADER_SIZE:])
    try:
        if not header.response or header.command_status == 0:
            return decode_body(cls, frame, HEADER_SIZE, len(frame))
    except SmppError:
        if not header.response:
            raise
    return decode_response(cls, frame, failed=header.command_status != 0, decode_body=decode_body)


def decode_body(cls: type[Pdu], frame: bytes, start: int, end: int) -> Pdu:
    """The parameters in `frame[start:end]` as a message of this class."""
    reader = _Reader(cls.__name__, frame, start, end)
    values = [reader.mandatory(field) for field in plan(cls).mandatory]
    options, rest = reader.tlvs({field.tag: field for field in plan(cls).optional})
    return cls(*values, **options, tlvs=rest)


def encode(message: Pdu, sequence_number: int, command_status: int = 0) -> bytes:
    """A whole PDU; LocalProtocolError if a value does not fit its parameter."""
    if message.command_id & RESPONSE_BIT and command_status and message == type(message)():
        return encode_pdu(message.command_id, command_status, sequence_number, b"")
    try:
        body = _encode_body(message)
    except (StructError, OverflowError, UnicodeEncodeError) as error:
        raise LocalProtocolError(f"{type(message).__name__}: {error}", "smpp.encode.value") from error
    return encode_pdu(message.command_id, command_status, sequence_number, body)


class _Reader:
    """Reads one body from front to back."""

    def __init__(self, name: str, frame: bytes, position: int, end: int) -> None:
        self._name = name
        self._frame = frame
        self._position = position
        self._end = end

    def mandatory(self, field: FieldPlan) -> object:
        match field.form:
            case UInt(size=size):
                return int.from_bytes(self._take(size), "big")
            case CStr() | Time():
                return self._c_string()
            case Octets():
                return self._short_message()
            case Repeated():
                (count,) = self._take(1)
                return tuple(self._group(field) for _ in range(count))

    def tlvs(self, fields: dict[int, FieldPlan]) -> tuple[dict[str, object], tuple[Tlv, ...]]:
        """Optional parameters that have a field, and the rest."""
        options: dict[str, object] = {}
        rest: list[Tlv] = []
        while self._end - self._position >= TLV_HEADER_SIZE:
            start = self._position
            tag = int.from_bytes(self._frame[start : start + 2], "big")
            following = start + TLV_HEADER_SIZE + int.from_bytes(self._frame[start + 2 : start + 4], "big")
            if following > self._end:
                break
            field, value = fields.get(tag), self._frame[start + TLV_HEADER_SIZE : following]
            if field is None or field.attribute in options or not _fits(field.form, value):
                keep(rest, self._frame, start, following)
            else:
                options[field.attribute] = _value(field.form, value)
            self._position = following
        if self._position < self._end:
            check_remainder(self._frame, self._position)
        return options, tuple(rest)

    def _take(self, size: int) -> bytes:
        found = self._frame[self._position : self._position + size]
        if len(found) < size:
            raise too_short(self._name)
        self._position += size
        return found

    def _c_string(self) -> str:
        size = self._frame.find(b"\0", self._position) - self._position
        text = self._take(max(size, 0))
        if self._take(1) != b"\0":
            raise too_short(self._name)
        return text.decode("latin-1")

    def _short_message(self) -> bytes:
        (size,) = self._take(1)
        if size > self._end - self._position:
            raise bad_sm_length(self._name, size, self._end - self._position)
        return self._take(size)

    def _group(self, field: FieldPlan) -> object:
        (group,) = field.groups if len(field.groups) == 1 else (self._flagged(field),)
        return group(*(self.mandatory(inner) for inner in plan(group).mandatory))

    def _flagged(self, field: FieldPlan) -> type[msgspec.Struct]:
        (flag,) = self._take(1)
        for group in field.groups:
            if group.dest_flag == flag:  # type: ignore[attr-defined] # groups of two kinds have it
                return group
        raise bad_dest_flag(flag)


def _fits(form: Form, value: bytes) -> bool:
    return not isinstance(form, UInt) or len(value) == form.size


def _value(form: Form, value: bytes) -> object:
    match form:
        case UInt():
            return int.from_bytes(value, "big")
        case CStr():
            return value.split(b"\0")[0].decode("latin-1")
        case _:
            return value


def _encode_body(message: Any) -> bytes:  # noqa: ANN401 - the plan tells the type, not Python
    fields = plan(message.__class__)
    parts = [_encode_value(field, getattr(message, field.attribute)) for field in fields.mandatory]
    for field in fields.optional:
        value = getattr(message, field.attribute)
        if value is not None:
            parts.append(encode_tlv(Tlv(field.tag, _encode_optional(field, value))))
    if hasattr(message, "short_message") and hasattr(message, "message_payload"):
        check_one_text(message.short_message, message.message_payload)
    return b"".join([*parts, *map(encode_tlv, message.tlvs)])


def _encode_value(field: FieldPlan, value: Any) -> bytes:  # noqa: ANN401 - as above
    match field.form:
        case UInt(size=size):
            return _FORMATS[size].pack(value)
        case CStr(size=size):
            return c_string(field.attribute, value, size) + b"\0"
        case Time():
            return time_string(field.attribute, value) + b"\0"
        case Octets():
            octets = octet_string(field.attribute, value, field.form)
            return bytes([len(octets)]) + octets
        case Repeated():
            flagged = len(field.groups) > 1
            return _FORMATS[1].pack(len(value)) + b"".join(_encode_group(group, flagged=flagged) for group in value)


def _encode_group(group: Any, *, flagged: bool) -> bytes:  # noqa: ANN401 - as above
    front = bytes([group.dest_flag]) if flagged else b""
    fields = plan(group.__class__).mandatory
    return front + b"".join(_encode_value(field, getattr(group, field.attribute)) for field in fields)


def _encode_optional(field: FieldPlan, value: Any) -> bytes:  # noqa: ANN401 - as above
    if isinstance(field.form, Octets):
        return octet_string(field.attribute, value, field.form)
    return _encode_value(field, value)
