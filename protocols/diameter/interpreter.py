"""The slow codec: reads the plan of a class field by field, as the specification tells it.

It says what the generated codec must do; tests hold the two against each other.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from struct import Struct
from struct import error as StructError  # noqa: N812 - the standard library spells its class in lower case
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from protocols.diameter.avp_validation import (
    STANDARD,
    Profile,
    bad_size,
    bad_text,
    check_number,
    keep,
    missing,
    nest_at,
    too_many,
    walk,
)
from protocols.diameter.codec import AVP_FLAG_VENDOR, HEADER_SIZE, bad_avp_length, encode_avp
from protocols.diameter.errors import DiameterError
from protocols.diameter.fields import INTEGER_FORMATS, FieldPlan, Form, plan, time_to_unix, unix_to_time
from protocols.errors import LocalProtocolError

Message = TypeVar("Message", bound=msgspec.Struct)

_FORMATS: Final = {form: Struct(text) for form, text in INTEGER_FORMATS.items()}
_THREE_WORDS: Final = Struct(">III")


def decode(
    cls: type[Message], frame: bytes, start: int = HEADER_SIZE, end: int | None = None, profile: Profile = STANDARD
) -> Message:
    """The AVPs in `frame[start:end]` as a message of this class; raises DiameterError."""
    end = len(frame) if end is None else end
    check_number(frame, start, end, profile)
    return _Decoder(frame, profile).decode(cls, start, end, 0)


def encode(message: msgspec.Struct) -> bytes:
    """The encoded AVPs of a message; LocalProtocolError if a value does not fit its AVP."""
    try:
        return _encode(message)
    except (StructError, UnicodeEncodeError) as error:
        raise LocalProtocolError(f"{type(message).__name__}: {error}", "diameter.encode.value") from error


class _Found(NamedTuple):
    """An AVP in the frame: where its header and its data begin, and where the data end."""

    position: int
    code: int
    vendor_id: int
    first: int
    last: int


class _Decoder:
    """Reads groups within groups of one frame."""

    def __init__(self, frame: bytes, profile: Profile) -> None:
        self._frame = frame
        self._profile = profile

    def decode(self, cls: type[Message], start: int, end: int, depth: int) -> Message:
        fields = {(field.avp.code, field.avp.vendor_id): field for field in plan(cls).fields}
        values: dict[str, list[object]] = {}
        rest = []
        for found in self._scan(start, end):
            field = fields.get((found.code, found.vendor_id))
            if field is None:
                rest.append(keep(self._frame, found.position, depth, self._profile))
                continue
            if field.attribute in values and not field.repeated:
                raise too_many(self._frame, found.position, field.avp.name)
            values.setdefault(field.attribute, []).append(self._value(field, found, depth))
        waived = {field.attribute for field in plan(cls).fields if field.waived and self._profile.lenient}
        for field in plan(cls).fields:
            if field.required and field.attribute not in values and field.attribute not in waived:
                raise missing(field.avp)
        repeated = {field.attribute for field in plan(cls).fields if field.repeated}
        arguments: dict[str, object] = dict.fromkeys(waived)
        arguments |= {name: tuple(items) if name in repeated else items[0] for name, items in values.items()}
        return cls(**arguments, avps=tuple(rest))

    def _scan(self, position: int, end: int) -> Iterator[_Found]:
        while position < end:
            if position + 8 > end:
                raise bad_avp_length(self._frame, position, end)
            head = self._frame[position : position + 12].ljust(12, b"\0")
            code, word, vendor_id = _THREE_WORDS.unpack(head)
            header = 12 if word >> 24 & AVP_FLAG_VENDOR else 8
            length = word & 0xFFFFFF
            following = position + (length + 3 & ~3)
            if length < header or following > end:
                raise bad_avp_length(self._frame, position, end)
            yield _Found(position, code, vendor_id if header == 12 else 0, position + header, position + length)
            position = following

    def _value(self, field: FieldPlan, found: _Found, depth: int) -> object:
        data = self._frame[found.first : found.last]
        match field.form:
            case Form.RAW:
                if field.walked:
                    with self._group(found):
                        walk(self._frame, found.first, found.last, depth + 1, self._profile)
                return data
            case Form.TEXT:
                try:
                    return data.decode("utf-8")
                except UnicodeDecodeError:
                    raise bad_text(self._frame, found.position, field.avp.name) from None
            case Form.GROUP:
                assert field.group is not None
                with self._group(found):
                    return self.decode(field.group, found.first, found.last, depth + 1)
        if len(data) != _FORMATS[field.form].size:
            raise bad_size(self._frame, found.position, field.avp.name)
        (number,) = _FORMATS[field.form].unpack(data)
        return time_to_unix(number) if field.form is Form.TIME else number

    @contextmanager
    def _group(self, found: _Found) -> Iterator[None]:
        """An error inside a group tells which group it was in."""
        try:
            yield
        except DiameterError as error:
            nest_at(error, self._frame, found.position)
            raise


def _encode(message: msgspec.Struct) -> bytes:
    parts = []
    for field in plan(type(message)).fields:
        value = getattr(message, field.attribute)
        if (field.has_default and value == field.default) or (field.waived and value is None):
            continue
        parts += [_encode_value(field, item) for item in (value if field.repeated else (value,))]
    parts += [encode_avp(avp.code, avp.data, avp.vendor_id, avp.flags) for avp in message.avps]  # type: ignore[attr-defined] # plan() saw to it that every message has avps
    return b"".join(parts)


def _encode_value(field: FieldPlan, value: Any) -> bytes:  # noqa: ANN401 - the plan tells the type, not Python
    match field.form:
        case Form.RAW:
            data = value
        case Form.TEXT:
            data = value.encode("utf-8")
        case Form.GROUP:
            data = _encode(value)
        case Form.TIME:
            data = _FORMATS[Form.TIME].pack(unix_to_time(value))
        case _:
            data = _FORMATS[field.form].pack(value)
    return encode_avp(field.avp.code, data, field.avp.vendor_id, field.avp.flags)
