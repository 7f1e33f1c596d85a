"""Writes the source of a message class's decode and encode functions from its plan.

One function reads one class: a loop over the AVPs, a tree of comparisons that finds the field (depth log2 of the
number of fields), and the conversion written out in place. That is several times as fast as the interpreter, and it must
never differ from it. The names that the source uses are bound by `namespace`.
"""

from collections.abc import Callable, Iterator
from struct import Struct
from typing import Final

import msgspec

from protocols.diameter.avp_validation import bad_size, bad_text, keep, missing, nest_at, too_many, walk
from protocols.diameter.codec import AVP_HEADER_SIZE, PADDING, VENDOR_AVP_HEADER_SIZE, bad_avp_length, encode_avp
from protocols.diameter.errors import DiameterError
from protocols.diameter.fields import INTEGER_FORMATS, ClassPlan, FieldPlan, Form, time_to_unix, unix_to_time

Function = Callable[..., object]

_LEAF: Final = 3
"""As many fields are compared one after the other; more are halved first."""


def namespace(
    plan: ClassPlan, decoders: dict[type[msgspec.Struct], Function], encoders: dict[type[msgspec.Struct], Function]
) -> dict[str, object]:
    """What the source of a class refers to; the functions of its groups are taken from the tables, or made there."""
    names: dict[str, object] = {
        function.__name__: function
        for function in (bad_avp_length, bad_size, bad_text, encode_avp, keep, missing, nest_at, too_many, walk)
    }
    names |= {function.__name__: function for function in (time_to_unix, unix_to_time, DiameterError)}
    names |= {"message": plan.message, "padding": PADDING}
    names |= {"unpack_head": Struct(">II").unpack_from, "unpack_vendor": Struct(">I").unpack_from}
    names |= {"pack_head": Struct(">II").pack, "pack_vendor_head": Struct(">III").pack}
    names["names"] = {field.avp.key: field.avp.name for field in plan.fields}
    for form, text in INTEGER_FORMATS.items():
        names[f"unpack_{form.name}"] = Struct(text).unpack_from
        for header in (AVP_HEADER_SIZE, VENDOR_AVP_HEADER_SIZE):
            names[f"pack_{form.name}_{header}"] = Struct(f">{header}s{text[1:]}").pack
    for field in plan.fields:
        names[f"avp_{field.attribute}"] = field.avp
        names[f"default_{field.attribute}"] = field.default
        names[f"head_{field.attribute}"] = _head(field)
        if field.group is not None:
            names[f"decode_{field.attribute}"] = decoders[field.group]
            names[f"encode_{field.attribute}"] = encoders[field.group]
    return names


def decoder_source(plan: ClassPlan) -> str:
    """Source of `decode(frame, position, end, depth, profile)`."""
    text = any(field.form is Form.TEXT for field in plan.fields)
    lines = ["def decode(frame, position, end, depth, profile):"]
    lines += [f"    {field.attribute} = {'()' if field.repeated else 'None'}" for field in plan.fields]
    lines += ["    avps = ()", "    last = end - 8"]
    lines += _indented(["try:", *_indented(_loop(plan)), *_UNICODE] if text else _loop(plan))
    lines += ["    if position != end:", "        raise bad_avp_length(frame, position, end)"]
    for field in plan.fields:
        lines += _indented(_absent(field))
    arguments = ", ".join(field.attribute for field in plan.fields)
    lines.append(f"    return message({arguments}, avps)")
    return "\n".join(lines) + "\n"


_UNICODE: Final = ["except UnicodeDecodeError:", "    raise bad_text(frame, position, names[code]) from None"]

_LOOP_HEAD: Final = """\
while position <= last:
    code, word = unpack_head(frame, position)
    length = word & 0xFFFFFF
    following = position + (length + 3 & 0x1FFFFFC)
    if word > 0x7FFFFFFF:
        if length < 12 or following > end:
            raise bad_avp_length(frame, position, end)
        code |= unpack_vendor(frame, position + 8)[0] << 32
        data = position + 12
        size = length - 12
    else:
        if length < 8 or following > end:
            raise bad_avp_length(frame, position, end)
        data = position + 8
        size = length - 8""".splitlines()
"""The header's size follows from the V flag, not from the field: vendor 0 may be written out under the V flag."""


def _loop(plan: ClassPlan) -> list[str]:
    fields = sorted(plan.fields, key=lambda field: field.avp.key)
    return [*_LOOP_HEAD, *_indented(_tree(fields)), "    position = following"]


def _tree(fields: list[FieldPlan]) -> list[str]:
    """Find the field of `code` (vendor << 32 | code) among these, which are sorted."""
    if len(fields) > _LEAF:
        middle = len(fields) // 2
        low, high = _tree(fields[:middle]), _tree(fields[middle:])
        return [f"if code < {fields[middle].avp.key}:", *_indented(low), "else:", *_indented(high)]
    lines = []
    for index, field in enumerate(fields):
        lines += [f"{'el' if index else ''}if code == {field.avp.key}:", *_indented(_take(field))]
    keep_it = "avps += (keep(frame, position, depth, profile),)"
    return [*lines, "else:", f"    {keep_it}"] if fields else [keep_it]


def _take(field: FieldPlan) -> list[str]:
    """Turn one AVP's data into the field's value."""
    name = field.attribute
    lines = []
    if not field.repeated:
        lines += [f"if {name} is not None:", f"    raise too_many(frame, position, {field.avp.name!r})"]
    value = f"{name} += ({{}},)" if field.repeated else f"{name} = {{}}"
    match field.form:
        case Form.RAW if field.walked:
            lines += _guarded("walk(frame, data, data + size, depth + 1, profile)")
            lines.append(value.format("frame[data:data + size]"))
        case Form.RAW:
            lines.append(value.format("frame[data:data + size]"))
        case Form.TEXT:
            lines.append(value.format('frame[data:data + size].decode("utf-8")'))
        case Form.GROUP:
            call = f"decode_{name}(frame, data, data + size, depth + 1, profile)"
            lines += _guarded(value.format(call))
        case form:
            lines += [
                f"if size != {Struct(INTEGER_FORMATS[form]).size}:",
                f"    raise bad_size(frame, position, {field.avp.name!r})",
            ]
            number = f"unpack_{form.name}(frame, data)[0]"
            lines.append(value.format(f"time_to_unix({number})" if form is Form.TIME else number))
    return lines


def _guarded(statement: str) -> list[str]:
    """A look into a group: an error there tells which group it was in."""
    return [
        "try:",
        f"    {statement}",
        "except DiameterError as error:",
        "    nest_at(error, frame, position)",
        "    raise",
    ]


def _absent(field: FieldPlan) -> list[str]:
    """What to do at the end about a field that did not come."""
    if field.required:
        test = f"if not {field.attribute}:" if field.repeated else f"if {field.attribute} is None:"
        if field.waived:
            test = f"if {field.attribute} is None and not profile.lenient:"
        return [test, f"    raise missing(avp_{field.attribute})"]
    if field.repeated or field.default is None:
        return []
    return [f"if {field.attribute} is None:", f"    {field.attribute} = default_{field.attribute}"]


def encoder_source(plan: ClassPlan) -> str:
    """Source of `encode(self)`, which gives the message's encoded AVPs."""
    lines = ["def encode(self):", "    parts = []", "    add = parts.append"]
    for field in plan.fields:
        lines += _indented(_send(field))
    lines += ["    for avp in self.avps:", "        add(encode_avp(avp.code, avp.data, avp.vendor_id, avp.flags))"]
    return "\n".join([*lines, '    return b"".join(parts)', ""])


def _send(field: FieldPlan) -> list[str]:
    name = field.attribute
    if field.repeated:
        return [f"for value in self.{name}:", *_indented(_add(field))]
    if not field.has_default and not field.waived:
        return [f"value = self.{name}", *_add(field)]
    test = "is not None" if field.default is None or field.waived else f"!= default_{name}"
    return [f"value = self.{name}", f"if value {test}:", *_indented(_add(field))]


def _add(field: FieldPlan) -> list[str]:
    """Append the AVP that holds `value`."""
    name = field.attribute
    if field.form in INTEGER_FORMATS:
        number = "unix_to_time(value)" if field.form is Form.TIME else "value"
        return [f"add(pack_{field.form.name}_{len(_head(field))}(head_{name}, {number}))"]
    convert = {Form.RAW: "value", Form.TEXT: 'value.encode("utf-8")', Form.GROUP: f"encode_{name}(value)"}
    word = field.avp.flags << 24 | len(_head(field))
    head = f"pack_head({field.avp.code}, {word} + size)"
    if field.avp.vendor_id:
        head = f"pack_vendor_head({field.avp.code}, {word} + size, {field.avp.vendor_id})"
    return [f"data = {convert[field.form]}", "size = len(data)", f"add({head} + data + padding[size & 3])"]


def _head(field: FieldPlan) -> bytes:
    """The AVP header of a field of fixed size; of other fields, a header of the right length."""
    size = Struct(INTEGER_FORMATS[field.form]).size if field.form in INTEGER_FORMATS else 0
    avp = field.avp
    return encode_avp(avp.code, bytes(size), avp.vendor_id, avp.flags)[: 12 if avp.vendor_id else 8]


def _indented(lines: list[str]) -> Iterator[str]:
    return (f"    {line}" for line in lines)
