"""The codec of the hot path: functions made from the annotations of each message class, at import.

`source` shows what was made. `interpreter` does the same slowly, and is what this is tested against.
"""

from struct import error as StructError  # noqa: N812 - the standard library spells its class in lower case
from typing import Final, TypeVar, cast

import msgspec

from protocols.diameter.avp_validation import STANDARD, Profile, check_number
from protocols.diameter.codec import AVP_HEADER_SIZE, HEADER_SIZE, MAX_AVPS
from protocols.diameter.fields import plan
from protocols.diameter.generator import Function, decoder_source, encoder_source, namespace
from protocols.diameter.layouts import Layouts, learn
from protocols.diameter.messages import COMMANDS, ErrorAnswer
from protocols.errors import LocalProtocolError

Message = TypeVar("Message", bound=msgspec.Struct)

_MAY_HAVE_TOO_MANY: Final = MAX_AVPS * AVP_HEADER_SIZE


def decode(
    cls: type[Message], frame: bytes, start: int = HEADER_SIZE, end: int | None = None, profile: Profile = STANDARD
) -> Message:
    """The AVPs in `frame[start:end]` as a message of this class.

    Raises DiameterError: 5001 unknown AVP with the M flag, 5004 text that is not UTF-8, 5005 a required AVP is
    missing, 5009 one occurs too often, 5012 nested too deep or too many, 5014 a length is wrong.
    """
    if end is None:
        if start == HEADER_SIZE:
            return _decode_whole(cls, frame, profile)
        end = len(frame)
    return _decode(cls, frame, start, end, profile)


def _decode_whole(cls: type[Message], frame: bytes, profile: Profile) -> Message:
    message = _layouts.read(cls, frame, profile)
    if message is None:
        message = _decode(cls, frame, HEADER_SIZE, len(frame), profile)
        _layouts.missed(cls, frame, profile)
    return message


def _decode(cls: type[Message], frame: bytes, start: int, end: int, profile: Profile) -> Message:
    if end - start >= _MAY_HAVE_TOO_MANY:
        check_number(frame, start, end, profile)
    return cast("Message", _decoders[cls](frame, start, end, 0, profile))


def encode(message: msgspec.Struct) -> bytes:
    """The encoded AVPs of a message; LocalProtocolError if a value does not fit its AVP."""
    try:
        return cast("bytes", _encoders[type(message)](message))
    except (StructError, UnicodeEncodeError) as error:
        raise LocalProtocolError(f"{type(message).__name__}: {error}", "diameter.encode.value") from error


def source(cls: type[msgspec.Struct]) -> str:
    """The Python text of the functions of a message class."""
    return decoder_source(plan(cls)) + "\n\n" + encoder_source(plan(cls))


class _Functions(dict[type[msgspec.Struct], Function]):
    """Makes both functions of a class when either is first asked for, its groups' before its own."""

    def __missing__(self, cls: type[msgspec.Struct]) -> Function:
        names = namespace(plan(cls), _decoders, _encoders)
        exec(compile(source(cls), f"<codec of {cls.__name__}>", "exec"), names)  # noqa: S102 - our own text, made of our own classes
        _decoders[cls] = cast("Function", names["decode"])
        _encoders[cls] = cast("Function", names["encode"])
        return self[cls]


_layouts: Final = Layouts(learn)
_decoders: Final = _Functions()
_encoders: Final = _Functions()
_commands: Final[tuple[type[msgspec.Struct], ...]] = (*COMMANDS.values(), ErrorAnswer)
for _command in _commands:
    _decoders[_command]  # made now rather than under the first message of its kind
