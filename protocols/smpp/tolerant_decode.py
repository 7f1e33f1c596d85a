"""What message centres make of responses, and how a response is read all the same.

SMPP 3.4 §4.4.2 gives an error no body; 5.0 allows it TLVs; in the field it has a NUL, an id, TLVs, or TLVs without
the parameters that should stand before them. A response must never be lost: it frees a slot of the window.
"""

from collections.abc import Callable
from typing import Final

from protocols.smpp.codec import HEADER_SIZE, TLV_HEADER_SIZE
from protocols.smpp.errors import SmppError
from protocols.smpp.fields import plan
from protocols.smpp.messages import Pdu
from protocols.smpp.tags import Tag

_PADDING: Final = bytes(64)
"""More NULs than any response has mandatory parameters, its groups aside."""
_TAGS: Final = frozenset(map(int, Tag))


def decode_response(
    cls: type[Pdu], frame: bytes, *, failed: bool, decode_body: Callable[[type[Pdu], bytes, int, int], Pdu]
) -> Pdu:
    """A response whose body may lack what it should have; what is missing is NULL, what cannot be read is dropped.

    `failed`: its command_status is an error. Then its body may be TLVs alone.
    """
    end = len(frame)
    if failed and _only_tlvs(frame):
        null = bytes(sum(field.form.null_size for field in plan(cls).mandatory))
        frame, end = frame[:HEADER_SIZE] + null + frame[HEADER_SIZE:], end + len(null)
    try:
        return decode_body(cls, frame + _PADDING, HEADER_SIZE, end)
    except SmppError:
        return cls()


def _only_tlvs(frame: bytes) -> bool:
    """Whether the body is TLVs to its last octet, and the first of them one that the specifications define."""
    position, end = HEADER_SIZE, len(frame)
    if int.from_bytes(frame[position : position + 2], "big") not in _TAGS:
        return False
    while end - position >= TLV_HEADER_SIZE:
        position += TLV_HEADER_SIZE + int.from_bytes(frame[position + 2 : position + 4], "big")
    return position == end
