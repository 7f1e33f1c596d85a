"""Writes the source of a message class's decode and encode functions from its plan.

Decoding reads the mandatory parameters one after the other at positions that the source knows as far as it can, and
then loops over the TLVs with a tree of comparisons that finds the field (depth log2 of the number of fields).
Encoding is one format of octets. It must never differ from the interpreter. The names that the source uses are
bound by `namespace`.
"""

from collections.abc import Callable, Iterator
from struct import Struct
from struct import error as StructError  # noqa: N812 - the standard library spells its class in lower case

import msgspec

from protocols.smpp.codec import RESPONSE_BIT, encode_pdu, encode_tlv
from protocols.smpp.fields import (
    NUMBER_FORMATS,
    ClassPlan,
    CStr,
    FieldPlan,
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
    time_string,
    too_short,
)

Function = Callable[..., object]

_LEAF = 3
"""As many fields are compared one after the other; more are halved first."""


def namespace(
    plan: ClassPlan, decoders: dict[type[msgspec.Struct], Function], encoders: dict[type[msgspec.Struct], Function]
) -> dict[str, object]:
    """What the source of a class refers to; the functions of its groups are taken from the tables, or made there."""
    names: dict[str, object] = {
        function.__name__: function
        for function in (bad_dest_flag, bad_sm_length, c_string, check_one_text, check_remainder, encode_pdu)
    }
    names |= {function.__name__: function for function in (encode_tlv, keep, octet_string, time_string, too_short)}
    names |= {"message": plan.message, "TOO_SHORT": (IndexError, ValueError, StructError)}
    names |= {"unpack_tlv": Struct(">HH").unpack_from, "pack_tlv": Struct(">HH").pack}
    for size, text in NUMBER_FORMATS.items():
        names[f"unpack_{size}"] = Struct(text).unpack_from
        names[f"pack_{size}"] = Struct(text).pack
        names[f"pack_tlv_{size}"] = Struct(f">HH{text[1:]}").pack
    for field in (*plan.mandatory, *plan.optional):
        names[f"form_{field.attribute}"] = field.form
        for number, group in enumerate(field.groups):
            names[f"decode_{field.attribute}_{number}"] = decoders[group]
            names[f"encode_{field.attribute}_{number}"] = encoders[group]
            names[f"class_{field.attribute}_{number}"] = group
    if not is_group(plan):
        names["blank"] = plan.message()
    return names


def is_group(plan: ClassPlan) -> bool:
    """Whether the class lies inside a message: it has no command_id."""
    return not hasattr(plan.message, "command_id")


def decoder_source(plan: ClassPlan) -> str:
    """Source of `decode(frame, p, end)`; that of a group gives the position behind it, too.

    A frame may be longer than `end`: what lies behind is read as mandatory parameters, and never as TLVs.
    """
    name = plan.message.__name__
    lines = ["def decode(frame, p, end):"]
    mandatory, here = _mandatory(plan)
    values = "".join(f"{field.attribute}, " for field in plan.mandatory)
    if is_group(plan):
        lines += _indented([*mandatory, f"return message({values[:-2]}), {here}"])
        return "\n".join(lines) + "\n"
    if mandatory:
        lines += _indented(
            ["try:", *_indented(mandatory), "except TOO_SHORT:", f"    raise too_short({name!r}) from None"]
        )
    lines += _indented([f"p = {here}"] if here != "p" else [])
    lines += [f"    if p >= end:\n        return message({values[:-2]})", "    options = {}", "    rest = []"]
    lines += _indented(["while end - p >= 4:", *_indented(_one_tlv(plan))])
    lines += ["    if p < end:", "        check_remainder(frame, p)"]
    lines.append(f"    return message({values}**options, tlvs=tuple(rest))")
    return "\n".join(lines) + "\n"


def _mandatory(plan: ClassPlan) -> tuple[list[str], str]:
    """Read the mandatory parameters; also where the octet behind them is, written with `p`."""
    lines: list[str] = []
    offset = 0
    for field in plan.mandatory:
        here = _at(offset)
        name = field.attribute
        match field.form:
            case UInt(size=1):
                lines.append(f"{name} = frame[{here}]")
                offset += 1
            case UInt(size=size):
                lines.append(f"{name} = unpack_{size}(frame, {here})[0]")
                offset += size
            case CStr() | Time():
                lines += [f"if frame[{here}]:", f"    q = frame.index(0, {here})"]
                lines += [f'    {name} = frame[{here}:q].decode("latin-1")', "    p = q + 1"]
                lines += ["else:", f'    {name} = ""', f"    p = {_at(offset + 1)}"]
                offset = 0
            case Octets():
                lines += [f"q = {_at(offset + 1)} + frame[{here}]", "if q > end:"]
                lines.append(
                    f"    raise bad_sm_length({plan.message.__name__!r}, frame[{here}], end - ({_at(offset + 1)}))"
                )
                lines += [f"{name} = frame[{_at(offset + 1)}:q]", "p = q"]
                offset = 0
            case Repeated():
                lines += _repeated(field, here, _at(offset + 1))
                offset = 0
    return lines, _at(offset)


def _repeated(field: FieldPlan, here: str, following: str) -> list[str]:
    name = field.attribute
    lines = [f"count = frame[{here}]", f"p = {following}", "values = []", "for _ in range(count):"]
    if len(field.groups) == 1:
        body = [f"value, p = decode_{name}_0(frame, p, end)"]
    else:
        body = ["flag = frame[p]"]
        for number, group in enumerate(field.groups):
            body += [f"{'el' if number else ''}if flag == {flag_of(group)}:"]
            body.append(f"    value, p = decode_{name}_{number}(frame, p + 1, end)")
        body += ["else:", "    raise bad_dest_flag(flag)"]
    return [*lines, *_indented([*body, "values.append(value)"]), f"{name} = tuple(values)"]


def flag_of(group: type[msgspec.Struct]) -> int:
    """The dest_flag in front of a group, where two kinds of them may stand."""
    flag: int = group.dest_flag  # type: ignore[attr-defined] # only groups that are told apart by one have it
    return flag


def _at(offset: int) -> str:
    return f"p + {offset}" if offset else "p"


def _one_tlv(plan: ClassPlan) -> list[str]:
    fields = sorted(plan.optional, key=lambda field: field.tag)
    lines = ["tag, size = unpack_tlv(frame, p)", "q = p + 4 + size", "if q > end:", "    break"]
    return [*lines, *_tree(fields), "p = q"]


def _tree(fields: list[FieldPlan]) -> list[str]:
    """Find the field of `tag` among these, which are sorted."""
    if len(fields) > _LEAF:
        middle = len(fields) // 2
        low, high = _tree(fields[:middle]), _tree(fields[middle:])
        return [f"if tag < {fields[middle].tag}:", *_indented(low), "else:", *_indented(high)]
    lines = []
    for index, field in enumerate(fields):
        fits = f" and size == {field.form.size}" if isinstance(field.form, UInt) else ""
        test = f'tag == {field.tag}{fits} and "{field.attribute}" not in options'
        lines += [f"{'el' if index else ''}if {test}:", f'    options["{field.attribute}"] = {_value(field)}']
    keep_it = "keep(rest, frame, p, q)"
    return [*lines, "else:", f"    {keep_it}"] if fields else [keep_it]


def _value(field: FieldPlan) -> str:
    match field.form:
        case UInt(size=1):
            return "frame[p + 4]"
        case UInt(size=size):
            return f"unpack_{size}(frame, p + 4)[0]"
        case CStr():
            return 'frame[p + 4:q].partition(b"\\0")[0].decode("latin-1")'
        case _:
            return "frame[p + 4:q]"


def encoder_source(plan: ClassPlan) -> str:
    """Source of `encode(self, command_status, sequence_number)`: a whole PDU; of a group, `encode(self)`: its octets."""
    if is_group(plan):
        lines = ["def encode(self):", *_indented(_body(plan)), "    return body"]
        return "\n".join([*lines, ""])
    command_id: int = int(plan.message.command_id)  # type: ignore[attr-defined] # is_group told that it has one
    lines = ["def encode(self, command_status, sequence_number):"]
    if command_id & RESPONSE_BIT:
        lines += ["    if command_status and self == blank:"]
        lines += [f'        return encode_pdu({command_id}, command_status, sequence_number, b"")']
    lines += _indented(_body(plan))
    for field in plan.optional:
        lines += _indented(_send_tlv(field))
    if {"short_message", "message_payload"} <= {field.attribute for field in (*plan.mandatory, *plan.optional)}:
        lines.append("    check_one_text(self.short_message, self.message_payload)")
    lines += ["    for tlv in self.tlvs:", "        body += encode_tlv(tlv)"]
    return "\n".join([*lines, f"    return encode_pdu({command_id}, command_status, sequence_number, body)", ""])


def _body(plan: ClassPlan) -> list[str]:
    """One format of octets with all mandatory parameters."""
    lines, form, values = [], "", []
    for field in plan.mandatory:
        name = field.attribute
        match field.form:
            case UInt(size=1):
                form += "%c"
                values.append(f"self.{name}")
            case UInt(size=size):
                form += "%b"
                values.append(f"pack_{size}(self.{name})")
            case CStr(size=size):
                form += "%b\\0"
                lines += [f"{name} = self.{name}"]
                lines += [f'{name} = c_string({name!r}, {name}, {size}) if {name} else b""']
                values.append(name)
            case Time():
                form += "%b\\0"
                lines += [f"{name} = self.{name}"]
                lines += [f'{name} = time_string({name!r}, {name}) if {name} else b""']
                values.append(name)
            case Octets():
                form += "%c%b"
                lines.append(f"{name} = octet_string({name!r}, self.{name}, form_{name})")
                values += [f"len({name})", name]
            case Repeated():
                form += "%c%b"
                lines += [f"values = self.{name}", "parts = []", "for value in values:"]
                lines += _indented(_send_group(field))
                lines.append(f'{name} = b"".join(parts)')
                values += [f"len(self.{name})", name]
    arguments = "".join(f"{value}, " for value in values)
    return [*lines, f'body = b"{form}" % ({arguments})' if values else 'body = b""']


def _send_group(field: FieldPlan) -> list[str]:
    name = field.attribute
    if len(field.groups) == 1:
        return [f"parts.append(encode_{name}_0(value))"]
    lines = []
    for number, group in enumerate(field.groups):
        lines += [f"if type(value) is class_{name}_{number}:"]
        lines.append(f"    parts.append({bytes([flag_of(group)])!r} + encode_{name}_{number}(value))")
    return lines


def _send_tlv(field: FieldPlan) -> list[str]:
    name = field.attribute
    lines = [f"value = self.{name}", "if value is not None:"]
    match field.form:
        case UInt(size=size):
            return [*lines, f"    body += pack_tlv_{size}({field.tag}, {size}, value)"]
        case CStr(size=size):
            lines.append(f'    value = c_string({name!r}, value, {size}) + b"\\0"')
        case _:
            lines.append(f"    value = octet_string({name!r}, value, form_{name})")
    return [*lines, f"    body += pack_tlv({field.tag}, len(value)) + value"]


def _indented(lines: list[str]) -> Iterator[str]:
    return (f"    {line}" for line in lines)
