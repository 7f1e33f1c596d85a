"""From a message class's annotations to a plan of its fields: what both codecs (slow and generated) work from."""

import types
from enum import Enum, auto
from functools import cache
from typing import Annotated, Final, Union, get_args, get_origin, get_type_hints

import msgspec

from protocols.diameter.dictionary import AvpType, Definition, standard
from protocols.errors import LocalProtocolError

NTP_EPOCH: Final = 2208988800
"""Seconds from 1900-01-01, where NTP era 0 begins, to 1970-01-01."""


class AvpField(msgspec.Struct, frozen=True):
    """Annotation of a message class's field.

    Attributes:
        name: the AVP that the field stands for.
        required: a message without it is refused with 5005.
        walked: a group kept as raw octets is still checked inside.
        waived: a message of a peer with a lenient profile may leave it out although it is required; then it is None.
    """

    name: str
    required: bool = False
    walked: bool = False
    waived: bool = False


class Form(Enum):
    """How a Python value lies in an AVP's data."""

    RAW = auto()
    TEXT = auto()
    UNSIGNED32 = auto()
    UNSIGNED64 = auto()
    INTEGER32 = auto()
    INTEGER64 = auto()
    TIME = auto()
    GROUP = auto()


INTEGER_FORMATS: Final = {
    Form.UNSIGNED32: ">I",
    Form.UNSIGNED64: ">Q",
    Form.INTEGER32: ">i",
    Form.INTEGER64: ">q",
    Form.TIME: ">I",
}
"""struct formats of the forms that are a Python int."""

_INTEGER_FORMS: Final = {
    AvpType.UNSIGNED32: Form.UNSIGNED32,
    AvpType.UNSIGNED64: Form.UNSIGNED64,
    AvpType.INTEGER32: Form.INTEGER32,
    AvpType.INTEGER64: Form.INTEGER64,
    AvpType.ENUMERATED: Form.INTEGER32,
    AvpType.TIME: Form.TIME,
}
_TEXT_TYPES: Final = {
    AvpType.UTF8_STRING,
    AvpType.DIAMETER_IDENTITY,
    AvpType.DIAMETER_URI,
    AvpType.IP_FILTER_RULE,
    AvpType.QOS_FILTER_RULE,
}


class FieldPlan(msgspec.Struct, frozen=True):
    """One field of a message class, ready to encode and decode."""

    attribute: str
    avp: Definition
    form: Form
    required: bool
    walked: bool
    waived: bool
    repeated: bool
    has_default: bool
    default: object
    group: type[msgspec.Struct] | None


class ClassPlan(msgspec.Struct, frozen=True):
    """The fields of a message class in their order; `avps`, which takes all other AVPs, follows them."""

    message: type[msgspec.Struct]
    fields: tuple[FieldPlan, ...]


@cache
def plan(message: type[msgspec.Struct]) -> ClassPlan:
    """Read a message class once. TypeError for a class that cannot be a message: that is a programming error."""
    hints = get_type_hints(message, include_extras=True)
    infos = {info.name: info for info in msgspec.structs.fields(message)}
    if list(infos)[-1:] != ["avps"]:
        raise TypeError(f"{message.__name__}: the last field of a message is avps")
    fields = tuple(_field(name, hints[name], info) for name, info in infos.items() if name != "avps")
    return ClassPlan(message, fields)


def _field(name: str, hint: object, info: msgspec.structs.FieldInfo) -> FieldPlan:
    if get_origin(hint) is not Annotated:
        raise TypeError(f"{name}: a message's field is Annotated with its AvpField")
    kind, *notes = get_args(hint)
    note = next(item for item in notes if isinstance(item, AvpField))
    avp = standard().by_name(note.name)
    base, repeated = _base(kind)
    form = _form(name, base, avp)
    has_default = info.default is not msgspec.NODEFAULT
    group = base if isinstance(base, type) and issubclass(base, msgspec.Struct) else None
    return FieldPlan(
        name, avp, form, note.required, note.walked, note.waived, repeated, has_default, info.default, group
    )


def _base(kind: object) -> tuple[object, bool]:
    """The type of one AVP's value, and whether the field holds a tuple of them."""
    if get_origin(kind) is tuple:
        return get_args(kind)[0], True
    if get_origin(kind) in {Union, types.UnionType}:
        (kind,) = (item for item in get_args(kind) if item is not type(None))
    return kind, False


def _form(name: str, base: object, avp: Definition) -> Form:
    if base is bytes:
        return Form.RAW
    if base is str and avp.type in _TEXT_TYPES:
        return Form.TEXT
    if base is int and avp.type in _INTEGER_FORMS:
        return _INTEGER_FORMS[avp.type]
    if isinstance(base, type) and issubclass(base, msgspec.Struct) and avp.type is AvpType.GROUPED:
        return Form.GROUP
    raise TypeError(f"{name}: {base} cannot hold {avp.name}, which is {avp.type.spelling}")


def time_to_unix(ntp: int) -> int:
    """A Time AVP's value in Unix seconds: the top bit tells the NTP era, so it is right until 2104 (§4.3.1)."""
    return ntp - NTP_EPOCH if ntp & 0x80000000 else ntp + (1 << 32) - NTP_EPOCH


def unix_to_time(seconds: int) -> int:
    """Unix seconds as a Time AVP's value; they lie between 1968-01-20 and 2104-02-26."""
    ntp = seconds + NTP_EPOCH
    if not 0x80000000 <= ntp < 0x180000000:
        raise LocalProtocolError(f"{seconds} s is outside what a Time AVP can say", "diameter.encode.value")
    return ntp & 0xFFFFFFFF
