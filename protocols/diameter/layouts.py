"""Layouts: how the AVPs of a message lie in it, learned from messages that were decoded, to read the next ones alike at once.

What a client sends is alike: the same AVPs in the same order, of the same lengths, with other values. Where every AVP header
of a message, at each depth, stands as in one that was decoded and found right, only values can differ. Whether it does so is
one comparison: the octets of the headers, masked out of the message as one large integer. Its values are read by one struct,
and put into their places by one expression.

A message that has no layout is left to the decoder, and so is a value that may be wrong: text that is not UTF-8. Learning a
layout costs as much as a hundred messages, so one is learned only once many messages of its length had none.
"""

from collections.abc import Callable
from struct import Struct
from typing import Final, NamedTuple, TypeVar, cast

import msgspec

from protocols.diameter.avp_validation import Profile
from protocols.diameter.codec import AVP_FLAG_VENDOR, AVP_HEADER_SIZE, HEADER_SIZE, VENDOR_AVP_HEADER_SIZE, Avp
from protocols.diameter.dictionary import VENDOR_SHIFT
from protocols.diameter.fields import INTEGER_FORMATS, ClassPlan, FieldPlan, Form, plan, time_to_unix

Message = TypeVar("Message", bound=msgspec.Struct)

MISSES: Final = 64
"""So many messages of a class and length without a layout, and one is learned."""
MOST: Final = 256
"""Layouts that are kept; all are forgotten before one more is learned."""
MOST_ALIKE: Final = 4
"""Layouts of the same class and length; the oldest makes room."""
LONGEST: Final = 2048
"""Octets of a message that a layout is learned from."""

_TWO_WORDS: Final = Struct(">II").unpack_from
_WORD: Final = Struct(">I").unpack_from


class Layout(msgspec.Struct, frozen=True):
    """One layout: a frame has it if its octets, masked, are these; then `read` makes the message of it."""

    mask: int
    headers: int
    read: Callable[[bytes], msgspec.Struct]


class Layouts:
    """The layouts that were learned, by class, profile and length of the messages that have them.

    `learn` gives the layout of a frame that was found right.
    """

    def __init__(self, learn: Callable[[type[msgspec.Struct], bytes, Profile], Layout]) -> None:
        self._learn = learn
        self._layouts: dict[tuple[type[msgspec.Struct], int, int], list[Layout]] = {}
        self._misses: dict[tuple[type[msgspec.Struct], int, int], int] = {}
        self._profiles: dict[int, Profile] = {}
        """What keeps the profiles alive whose addresses are in the keys."""
        self._number = 0

    def read(self, cls: type[Message], frame: bytes, profile: Profile) -> Message | None:
        """The message in a whole frame; None where no layout fits, or a text is not UTF-8."""
        layouts = self._layouts.get((cls, id(profile), len(frame)))
        if layouts is None:
            return None
        octets = int.from_bytes(frame, "big")
        for layout in layouts:
            if octets & layout.mask == layout.headers:
                try:
                    return cast("Message", layout.read(frame))
                except UnicodeDecodeError:
                    return None
        return None

    def missed(self, cls: type[msgspec.Struct], frame: bytes, profile: Profile) -> None:
        """A whole frame had to be decoded, and was right: learn its layout if that has happened often."""
        if len(frame) > LONGEST:
            return
        key = (cls, id(profile), len(frame))
        misses = self._misses.get(key, 0) + 1
        self._misses[key] = misses % MISSES
        if misses < MISSES:
            return
        if self._number >= MOST:
            self._layouts.clear()
            self._profiles.clear()
            self._number = 0
        self._profiles[id(profile)] = profile
        layouts = self._layouts.setdefault(key, [])
        layouts.insert(0, self._learn(cls, frame, profile))
        self._number += 1
        if len(layouts) > MOST_ALIKE:
            layouts.pop()
            self._number -= 1


def learn(cls: type[msgspec.Struct], frame: bytes, profile: Profile) -> Layout:
    """The layout of a frame that the decoder has found right."""
    lesson = _Lesson(frame, profile)
    expression = lesson.message(plan(cls), HEADER_SIZE, len(frame))
    mask = int.from_bytes(lesson.mask, "big")
    read = function_of(expression, lesson.names, Struct(lesson.format).unpack_from)
    return Layout(mask, int.from_bytes(frame, "big") & mask, read)


def function_of(
    expression: str, names: dict[str, object], unpack: Callable[[bytes], object] | None = None
) -> Callable[[bytes], msgspec.Struct]:
    """A function that makes a message of a `frame` by this expression, in which `v` are the unpacked values."""
    lines = ["def read(frame):", *(["    v = unpack(frame)"] if unpack else []), f"    return {expression}"]
    names = names | {"unpack": unpack}
    exec("\n".join(lines), names)  # noqa: S102 - our own text, of our own classes: nothing of a frame's values is in it
    return cast("Callable[[bytes], msgspec.Struct]", names["read"])


class _Lesson:
    """One walk through a frame: what the layout's parts are made of."""

    def __init__(self, frame: bytes, profile: Profile) -> None:
        self.mask = bytearray(len(frame))
        self.format = ">"
        self.names: dict[str, object] = {"Avp": Avp, "time_to_unix": time_to_unix}
        self._frame, self._profile = frame, profile
        self._values = self._position = 0

    def message(self, message: ClassPlan, position: int, end: int) -> str:
        """The expression that makes a message of the AVPs in `frame[position:end]`."""
        fields = {field.avp.key: field for field in message.fields}
        found: dict[str, list[str]] = {field.attribute: [] for field in message.fields}
        others: list[str] = []
        while position < end:
            header = self._header(position)
            field = fields.get(header.key)
            if field is None:
                others.append(self._keep(header))
            else:
                found[field.attribute].append(self._value(field, header))
            position = header.following
        name = message.message.__name__
        self.names[name] = message.message
        arguments = [self._argument(name, field, found[field.attribute]) for field in message.fields]
        return f"{name}({', '.join([*arguments, _tuple(others)])})"

    def _header(self, position: int) -> "_Header":
        """The header at this position, which is to stay the same."""
        key, word = _TWO_WORDS(self._frame, position)
        size, length = AVP_HEADER_SIZE, word & 0xFFFFFF
        if word & AVP_FLAG_VENDOR << 24:
            size = VENDOR_AVP_HEADER_SIZE
            key |= _WORD(self._frame, position + AVP_HEADER_SIZE)[0] << VENDOR_SHIFT
        self.mask[position : position + size] = b"\xff" * size
        return _Header(key, word >> 24, position + size, position + length, position + (length + 3 & ~3))

    def _value(self, field: FieldPlan, header: "_Header") -> str:
        if field.form is Form.GROUP:
            assert field.group is not None
            return self.message(plan(field.group), header.data, header.end)
        if field.walked:
            self._walk(header.data, header.end)
        integer = INTEGER_FORMATS.get(field.form)
        value = self._take(header, integer[1:] if integer else "")
        if field.form is Form.TIME:
            return f"time_to_unix({value})"
        return f"{value}.decode()" if field.form is Form.TEXT else value

    def _keep(self, header: "_Header") -> str:
        if self._profile.grouped.get(header.key):
            self._walk(header.data, header.end)
        code, vendor_id = header.key & 0xFFFFFFFF, header.key >> VENDOR_SHIFT
        return f"Avp({code}, {vendor_id}, {header.flags}, {self._take(header, '')})"

    def _take(self, header: "_Header", integer: str) -> str:
        """Have the struct read this AVP's data, as octets if it is no integer; where its value is found then."""
        self.format += f"{header.data - self._position}x{integer or f'{header.end - header.data}s'}"
        self._position = header.end
        self._values += 1
        return f"v[{self._values - 1}]"

    def _walk(self, position: int, end: int) -> None:
        """The headers inside a group that is kept as octets are to stay the same as well."""
        while position < end:
            header = self._header(position)
            if self._profile.grouped.get(header.key):
                self._walk(header.data, header.end)
            position = header.following

    def _argument(self, name: str, field: FieldPlan, values: list[str]) -> str:
        if field.repeated:
            return _tuple(values)
        if values:
            return values[0]
        default = f"{name}_{field.attribute}"
        self.names[default] = field.default if field.has_default else None
        return default


class _Header(NamedTuple):
    """One AVP in the frame: vendor and code, flags, where its data begin and end, and where the next AVP begins."""

    key: int
    flags: int
    data: int
    end: int
    following: int


def _tuple(values: list[str]) -> str:
    return f"({''.join(f'{value}, ' for value in values)})"
