"""Where each parameter of an SMPP PDU stands in its octets (SMPP 3.4 §3.2): to overwrite it there, or to look at it."""

from collections.abc import Iterator
from typing import Final

import msgspec

from protocols.errors import RemoteProtocolError
from protocols.smpp.codec import HEADER_SIZE, TLV_HEADER_SIZE, decode_header
from protocols.smpp.fields import CStr, FieldPlan, Octets, Repeated, Time, UInt, plan
from protocols.smpp.messages import COMMANDS
from protocols.smpp.tags import Tag

REST: Final = "rest"
"""The name of octets that nobody knows."""


class PduPart(msgspec.Struct, frozen=True, gc=False):
    """One parameter: its name (`tlv` and the tag for an optional one), and its value at `message[start:end]`."""

    name: str
    start: int
    end: int
    tag: int = 0
    number: bool = False


class CutShort(Exception):
    """The octets ended within a parameter."""


def parts(message: bytes) -> list[PduPart]:
    """Return every parameter in order; what cannot be read any more is one part REST, up to the end."""
    found: list[PduPart] = []
    position = HEADER_SIZE
    try:
        command = COMMANDS.get(decode_header(message).command_id)
        fields = plan(command).mandatory if command is not None and len(message) > HEADER_SIZE else ()
        for field in fields:
            for part in _mandatory(message, position, field):
                found.append(part)
                position = part.end
        position = _optional(message, position, found) if command is not None else position
    except (CutShort, RemoteProtocolError):
        pass
    if position < len(message):
        found.append(PduPart(REST, position, len(message)))
    return found


def values(message: bytes) -> dict[str, bytes]:
    """Return the mandatory parameters' octets by name, without a string's NUL; the last of those that repeat."""
    return {part.name: message[part.start : part.end].rstrip(b"\0") for part in parts(message) if not part.tag}


def _mandatory(message: bytes, position: int, field: FieldPlan) -> Iterator[PduPart]:
    name = field.attribute
    match field.form:
        case UInt(size=size):
            yield PduPart(name, position, _within(message, position + size), number=True)
        case CStr() | Time():
            end = message.find(b"\0", position)
            if end < 0:
                raise CutShort
            yield PduPart(name, position, end + 1)
        case Octets():
            start = _within(message, position + 1)
            yield PduPart(name, start, _within(message, start + message[position]))
        case Repeated():
            yield PduPart(f"number_of_{name}", position, _within(message, position + 1), number=True)
            yield from _groups(message, position + 1, message[position], field)


def _groups(message: bytes, position: int, count: int, field: FieldPlan) -> Iterator[PduPart]:
    for _ in range(count):
        group = field.groups[0]
        if len(field.groups) > 1:
            flag = message[position : position + 1]
            if flag not in (b"\1", b"\2"):
                raise CutShort
            group = field.groups[flag[0] - 1]
            yield PduPart("dest_flag", position, position + 1, number=True)
            position += 1
        for inner in plan(group).mandatory:
            for part in _mandatory(message, position, inner):
                yield part
                position = part.end


def _optional(message: bytes, position: int, found: list[PduPart]) -> int:
    while len(message) - position >= TLV_HEADER_SIZE:
        tag = int.from_bytes(message[position : position + 2], "big")
        start = position + TLV_HEADER_SIZE
        end = start + int.from_bytes(message[position + 2 : start], "big")
        if end > len(message):
            break
        known = tag in Tag.__members__.values()
        found.append(PduPart(Tag(tag).name.lower() if known else f"tlv_{tag:#06x}", start, end, tag))
        position = end
    return position


def _within(message: bytes, end: int) -> int:
    if end > len(message):
        raise CutShort
    return end
