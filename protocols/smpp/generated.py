"""The codec of the hot path: functions made from the annotations of each message class, at import.

`source` shows what was made. `interpreter` does the same slowly, and is what this is tested against.
"""

from struct import error as StructError  # noqa: N812 - the standard library spells its class in lower case
from typing import Final, cast

import msgspec

from protocols.errors import LocalProtocolError
from protocols.smpp.codec import HEADER_SIZE, RESPONSE_BIT, Header
from protocols.smpp.errors import SmppError
from protocols.smpp.fields import plan
from protocols.smpp.generator import Function, decoder_source, encoder_source, namespace
from protocols.smpp.messages import COMMANDS, DistributionList, Pdu, SmeAddress, UnknownPdu, UnsuccessSme
from protocols.smpp.tolerant_decode import decode_response


def decode(header: Header, frame: bytes) -> Pdu:
    """The body of a whole PDU, whose header `decode_header` has read; an UnknownPdu if nobody knows its command_id.

    Raises SmppError for a request: ESME_RINVCMDLEN it ends within its mandatory parameters, ESME_RINVMSGLEN sm_length
    is too long, ESME_RINVDESTFLAG, ESME_RINVOPTPARSTREAM its message_payload is cut. A response is always read:
    what it lacks is NULL, and an error may come with a body or without (SMPP 3.4 §4.4.2).
    """
    cls = COMMANDS.get(header.command_id)
    if cls is None:
        return UnknownPdu(header.command_id, frame[HEADER_SIZE:])
    if header.command_id >= RESPONSE_BIT:
        if header.command_status:
            return decode_response(cls, frame, failed=True, decode_body=decode_body)
        try:
            return cast("Pdu", _decoders[cls](frame, HEADER_SIZE, len(frame)))
        except SmppError:
            return decode_response(cls, frame, failed=False, decode_body=decode_body)
    return cast("Pdu", _decoders[cls](frame, HEADER_SIZE, len(frame)))


def decode_body(cls: type[Pdu], frame: bytes, start: int, end: int) -> Pdu:
    """The parameters in `frame[start:end]` as a message of this class."""
    return cast("Pdu", _decoders[cls](frame, start, end))


def encode(message: Pdu, sequence_number: int, command_status: int = 0) -> bytes:
    """A whole PDU; LocalProtocolError if a value does not fit its parameter, or the header what it heads.

    A response with an error has no body, unless something was put into it.
    """
    try:
        return cast("bytes", _encoders[type(message)](message, command_status, sequence_number))
    except (StructError, OverflowError, UnicodeEncodeError) as error:
        raise LocalProtocolError(f"{type(message).__name__}: {error}", "smpp.encode.value") from error


def source(cls: type[msgspec.Struct]) -> str:
    """The Python text of the functions of a message class."""
    return decoder_source(plan(cls)) + "\n\n" + encoder_source(plan(cls))


_decoders: Final[dict[type[msgspec.Struct], Function]] = {}
_encoders: Final[dict[type[msgspec.Struct], Function]] = {}
_groups: Final[tuple[type[msgspec.Struct], ...]] = (SmeAddress, DistributionList, UnsuccessSme)
for _cls in (*_groups, *COMMANDS.values()):
    _names = namespace(plan(_cls), _decoders, _encoders)
    exec(compile(source(_cls), f"<codec of {_cls.__name__}>", "exec"), _names)  # noqa: S102 - our own text, made of our own classes
    _decoders[_cls] = cast("Function", _names["decode"])
    _encoders[_cls] = cast("Function", _names["encode"])
