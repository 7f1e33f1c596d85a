"""From a message class's annotations to a plan of its fields: what both codecs (slow and generated) work from."""

from functools import cache
from typing import Annotated, Final, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from protocols.errors import LocalProtocolError
from protocols.smpp.codec import MAX_TLVS, TLV_HEADER_SIZE, Tlv
from protocols.smpp.errors import CommandStatus, SmppError
from protocols.smpp.tags import Tag
from protocols.smpp.times import well_formed

Message = TypeVar("Message", bound=msgspec.Struct)


class CStr(msgspec.Struct, frozen=True):
    """Characters and a NUL. `size` is the most octets that we send, the NUL included, as the specification counts.

    The Python value is a str of Latin-1, so that every octet that a peer may put there has its character and goes
    back as it came. A peer's string may be longer than `size`.
    """

    size: int

    @property
    def null_size(self) -> int:
        """Octets of an empty one."""
        return 1


class Time(msgspec.Struct, frozen=True):
    """A CStr of 17 octets, or of one: sixteen characters as in `times`, or none."""

    @property
    def null_size(self) -> int:
        """Octets of an empty one."""
        return 1


class UInt(msgspec.Struct, frozen=True):
    """A number of 1, 2 or 4 octets."""

    size: int

    @property
    def null_size(self) -> int:
        """Octets of a zero."""
        return self.size


class Octets(msgspec.Struct, frozen=True):
    """Octets as they are. Outside a TLV their number stands before them in one octet (sm_length)."""

    smallest: int = 0
    largest: int = 255

    @property
    def null_size(self) -> int:
        """Octets of none, outside a TLV."""
        return 1


class Repeated(msgspec.Struct, frozen=True):
    """A tuple of groups, their number before them in one octet. One class, or two that a leading flag tells apart."""

    @property
    def null_size(self) -> int:
        """Octets of no group."""
        return 1


Form = CStr | Time | UInt | Octets | Repeated


class TlvField(msgspec.Struct, frozen=True):
    """Annotation of a field that is an optional parameter: None where it is absent."""

    tag: Tag
    form: CStr | UInt | Octets


class FieldPlan(msgspec.Struct, frozen=True):
    """One field of a message class, ready to encode and decode. `tag` is 0 for a mandatory parameter."""

    attribute: str
    form: Form
    tag: int
    groups: tuple[type[msgspec.Struct], ...]


class ClassPlan(msgspec.Struct, frozen=True):
    """The fields of a message class in their order; `tlvs`, which takes all other TLVs, follows them.

    A group inside a message has no TLVs, and may have a flag in front that tells which group it is.
    """

    message: type[msgspec.Struct]
    mandatory: tuple[FieldPlan, ...]
    optional: tuple[FieldPlan, ...]


@cache
def plan(message: type[msgspec.Struct]) -> ClassPlan:
    """Read a message class once. TypeError for a class that cannot be a message: that is a programming error."""
    hints = get_type_hints(message, include_extras=True)
    names = [info.name for info in msgspec.structs.fields(message) if info.name != "tlvs"]
    fields = [_field(name, hints[name]) for name in names]
    mandatory = tuple(field for field in fields if not field.tag)
    if tuple(fields[: len(mandatory)]) != mandatory:
        raise TypeError(f"{message.__name__}: mandatory parameters come before the optional ones")
    return ClassPlan(message, mandatory, tuple(fields[len(mandatory) :]))


def without_tlvs(message: Message) -> Message:
    """Leave out the optional parameters; LocalProtocolError where one carries the text itself."""
    if getattr(message, "message_payload", None) is not None:
        raise LocalProtocolError("message_payload is a TLV, and the peer takes none", "smpp.session.tlvs")
    there = {name: nothing for name, nothing in _absent(type(message)).items() if getattr(message, name) != nothing}
    return msgspec.structs.replace(message, **there) if there else message


@cache
def _absent(message: type[msgspec.Struct]) -> dict[str, tuple[()] | None]:
    """The fields of a message class that are optional parameters, and what they are where there is none."""
    known: dict[str, tuple[()] | None] = {field.attribute: None for field in plan(message).optional}
    others = {"tlvs": ()} if "tlvs" in message.__struct_fields__ else {}
    return known | others


def _field(name: str, hint: object) -> FieldPlan:
    if get_origin(hint) is not Annotated:
        raise TypeError(f"{name}: a message's field is Annotated with its form")
    kind, note = get_args(hint)
    if isinstance(note, TlvField):
        return FieldPlan(name, note.form, note.tag, ())
    groups: tuple[type[msgspec.Struct], ...] = ()
    if isinstance(note, Repeated):
        item = get_args(kind)[0]
        groups = get_args(item) or (item,)
    return FieldPlan(name, note, 0, groups)


NUMBER_FORMATS: Final = {1: ">B", 2: ">H", 4: ">I"}
"""struct formats of a UInt, by its size."""


def too_short(name: str) -> SmppError:
    """A mandatory parameter is not there, or has no NUL."""
    return SmppError(CommandStatus.ESME_RINVCMDLEN, f"{name} ends within its mandatory parameters")


def bad_sm_length(name: str, length: int, left: int) -> SmppError:
    """sm_length says more octets than the PDU has."""
    return SmppError(CommandStatus.ESME_RINVMSGLEN, f"{name} has length {length} where {left} octets are left")


def bad_dest_flag(flag: int) -> SmppError:
    """dest_flag of a destination is neither 1 nor 2 (SMPP 3.4 §5.2.25)."""
    return SmppError(CommandStatus.ESME_RINVDESTFLAG, f"dest_flag {flag}")


def check_remainder(frame: bytes, position: int) -> None:
    """Octets at the end that are no whole TLV are dropped, unless they are the text itself, which would be cut."""
    if frame[position : position + 2] == b"\x04\x24":
        raise SmppError(CommandStatus.ESME_RINVOPTPARSTREAM, "message_payload is longer than its PDU")


def keep(rest: list[Tlv], frame: bytes, position: int, end: int) -> None:
    """A TLV that has no attribute, or does not fit it, goes into `tlvs`; there is room for MAX_TLVS."""
    if len(rest) < MAX_TLVS:
        value = frame[position + TLV_HEADER_SIZE : end]
        rest.append(Tlv(int.from_bytes(frame[position : position + 2], "big"), value))


def c_string(name: str, value: str, size: int) -> bytes:
    """A string's octets without their NUL; LocalProtocolError if they do not fit."""
    octets = value.encode("latin-1")
    if len(octets) >= size or 0 in octets:
        raise LocalProtocolError(f"{name}: {len(octets)} octets in a string of {size}, or a NUL", "smpp.encode.value")
    return octets


def time_string(name: str, value: str) -> bytes:
    """A time's octets without their NUL."""
    if value and not well_formed(value):
        raise LocalProtocolError(f"{name}: {value!r} is no time", "smpp.encode.value")
    return value.encode("ascii")


def octet_string(name: str, value: bytes, form: Octets) -> bytes:
    """Octets as they are; LocalProtocolError if there are too few or too many."""
    if not form.smallest <= len(value) <= form.largest:
        raise LocalProtocolError(f"{name}: {len(value)} octets", "smpp.encode.value")
    return value


def check_one_text(short_message: bytes, message_payload: bytes | None) -> None:
    """A message has its text in short_message or in message_payload, never in both (SMPP 3.4 §4.4.1)."""
    if short_message and message_payload is not None:
        raise LocalProtocolError("both short_message and message_payload", "smpp.encode.value")
