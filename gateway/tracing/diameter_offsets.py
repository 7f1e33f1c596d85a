"""Where the data of each AVP stands in a Diameter message (RFC 6733 §4.1): to overwrite it there, or to look at it."""

from collections.abc import Iterator
from typing import Final

import msgspec

from protocols.diameter.codec import AVP_HEADER_SIZE, HEADER_SIZE, MAX_AVPS, MAX_DEPTH, VENDOR_AVP_HEADER_SIZE
from protocols.diameter.dictionary import AvpType, Definition, standard

REST: Final = "rest"
"""The name of octets that are no whole AVP."""


class Leaf(msgspec.Struct, frozen=True, gc=False):
    """One AVP that holds no others: its name ("" if unknown), its type, its data at `message[start:end]`."""

    name: str
    type: AvpType | None
    start: int
    end: int


def leaves(message: bytes) -> list[Leaf]:
    """Return every AVP that is no group, those within groups too, in order, MAX_AVPS at most; the rest is one part REST."""
    found: list[Leaf] = []
    for leaf in _walk(message, HEADER_SIZE, len(message), 0):
        if len(found) == MAX_AVPS:
            return [*found, Leaf(REST, None, leaf.start, len(message))]
        found.append(leaf)
    return found


def _walk(message: bytes, position: int, end: int, depth: int) -> Iterator[Leaf]:
    while position + AVP_HEADER_SIZE <= end:
        flagged, length = message[position + 4] & 0x80, int.from_bytes(message[position + 5 : position + 8], "big")
        header = VENDOR_AVP_HEADER_SIZE if flagged else AVP_HEADER_SIZE
        if length < header or position + length > end:
            break
        start, stop = position + header, position + length
        definition = _definition(message, position, vendor=bool(flagged))
        if definition is not None and definition.type is AvpType.GROUPED and depth < MAX_DEPTH:
            yield from _walk(message, start, stop, depth + 1)
        elif definition is None or definition.type is AvpType.GROUPED:
            yield Leaf("", None, start, stop)
        else:
            yield Leaf(definition.name, definition.type, start, stop)
        position += length + 3 & ~3
    if position < end:
        yield Leaf(REST, None, position, end)


def _definition(message: bytes, position: int, *, vendor: bool) -> Definition | None:
    code = int.from_bytes(message[position : position + 4], "big")
    return standard().by_code(code, int.from_bytes(message[position + 8 : position + 12], "big") if vendor else 0)
