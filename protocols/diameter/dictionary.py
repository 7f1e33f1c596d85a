"""The AVPs that we know by name: data in the RFC's own grammar, read once at start.

A dictionary file is a list of statements; a statement goes on over the indented lines below it:

    # a comment
    @vendor 3GPP 10415                      the AVPs below belong to this vendor (a file begins with vendor 0)
    Session-Id 263 UTF8String M             name, code, type, flags to send (`M` or `-`; V follows from the vendor)
    @enum CC-Request-Type
        INITIAL_REQUEST 1  UPDATE_REQUEST 2
    @grouped Subscription-Id ::= < AVP Header: 443 >
        { Subscription-Id-Type }
        { Subscription-Id-Data }

`{ X }` must occur, `[ X ]` may, `*` and `1*` before either let it occur again (RFC 6733 §4.4).
"""

import re
from collections.abc import Iterable, Iterator
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Final, Self

import msgspec

from protocols.errors import LocalProtocolError

STANDARD_FILES: Final = (
    "base.dia",
    "nas.dia",
    "credit_control.dia",
    "3gpp_charging.dia",
    "3gpp_access.dia",
    "vendors.dia",
)

VENDOR_SHIFT: Final = 32
"""A table key is `vendor_id << VENDOR_SHIFT | code`: one integer, so that the hot path makes no tuples."""


class AvpType(Enum):
    """Data formats of RFC 6733 §4.2 and §4.3, with the fewest octets that each can have."""

    OCTET_STRING = ("OctetString", 0)
    UTF8_STRING = ("UTF8String", 0)
    DIAMETER_IDENTITY = ("DiameterIdentity", 0)
    DIAMETER_URI = ("DiameterURI", 0)
    IP_FILTER_RULE = ("IPFilterRule", 0)
    QOS_FILTER_RULE = ("QoSFilterRule", 0)
    ADDRESS = ("Address", 6)
    INTEGER32 = ("Integer32", 4)
    INTEGER64 = ("Integer64", 8)
    UNSIGNED32 = ("Unsigned32", 4)
    UNSIGNED64 = ("Unsigned64", 8)
    FLOAT32 = ("Float32", 4)
    FLOAT64 = ("Float64", 8)
    ENUMERATED = ("Enumerated", 4)
    TIME = ("Time", 4)
    GROUPED = ("Grouped", 0)

    def __init__(self, spelling: str, minimum_size: int) -> None:
        self.spelling = spelling
        self.minimum_size = minimum_size


_TYPES: Final = {kind.spelling: kind for kind in AvpType}


class Member(msgspec.Struct, frozen=True):
    """One line of a group's grammar. `maximum` is None for "any number"."""

    name: str
    minimum: int
    maximum: int | None


class Definition(msgspec.Struct, frozen=True):
    """What the dictionary says of one AVP."""

    name: str
    code: int
    vendor_id: int
    type: AvpType
    mandatory: bool
    values: dict[str, int] = {}
    members: tuple[Member, ...] = ()

    @property
    def key(self) -> int:
        """The key of this AVP in `Dictionary.grouped`."""
        return self.vendor_id << VENDOR_SHIFT | self.code

    @property
    def flags(self) -> int:
        """The AVP flags to send it with: V by the vendor, M by the specification."""
        return (0x80 if self.vendor_id else 0) | (0x40 if self.mandatory else 0)


class Dictionary:
    """AVP definitions by code and by name."""

    def __init__(self) -> None:
        self.vendors: dict[str, int] = {}
        self.grouped: dict[int, bool] = {}
        """Key of each known AVP -> whether it is Grouped: all that a walk over octets has to ask."""
        self._by_key: dict[int, Definition] = {}
        self._by_name: dict[str, Definition] = {}

    @classmethod
    def load(cls, *paths: Path) -> Self:
        """Read dictionary files in this order; an error names file and line."""
        dictionary = cls()
        dictionary._read(paths)
        return dictionary

    def extended(self, *paths: Path) -> "Dictionary":
        """A copy of this dictionary with further files, for instance a vendor's, read into it."""
        other = Dictionary()
        other.vendors.update(self.vendors)
        other.grouped.update(self.grouped)
        other._by_key.update(self._by_key)
        other._by_name.update(self._by_name)
        other._read(paths)
        return other

    def by_code(self, code: int, vendor_id: int = 0) -> Definition | None:
        """The definition of an AVP as it stands on the wire, or None."""
        return self._by_key.get(vendor_id << VENDOR_SHIFT | code)

    def by_name(self, name: str) -> Definition:
        """The definition of a name; KeyError if there is none."""
        return self._by_name[name]

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __iter__(self) -> Iterator[Definition]:
        return iter(self._by_key.values())

    def __len__(self) -> int:
        return len(self._by_key)

    def _read(self, paths: Iterable[Path]) -> None:
        readers = [_Reader(self, path) for path in paths]
        for reader in readers:
            reader.read()
        for reader in readers:
            reader.check_groups()

    def put(self, definition: Definition) -> None:
        """Take a definition, in place of the one with the same code if there is one."""
        self.grouped[definition.key] = definition.type is AvpType.GROUPED
        self._by_key[definition.key] = definition
        self._by_name[definition.name] = definition


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Statements with the number of their first line; indented lines belong to the statement above."""
    start, parts = 0, list[str]()
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.partition("#")[0].rstrip()
        if not line:
            continue
        if line[0].isspace() and parts:
            parts.append(line)
            continue
        if parts:
            yield start, " ".join(parts)
        start, parts = number, [line]
    if parts:
        yield start, " ".join(parts)


_GROUPED = re.compile(r"@grouped\s+(\S+)\s*::=\s*<\s*AVP\s+Header:\s*(\d+)(?:\s+(\d+))?\s*>\s*(.*)")
_MEMBER = re.compile(r"(?:(\d*)(\*)(\d*)\s*)?(?:\{\s*(\S+)\s*\}|\[\s*(\S+)\s*\]|<\s*(\S+)\s*>)\s*")


class _Reader:
    """Reads the statements of one file into a dictionary."""

    def __init__(self, dictionary: Dictionary, path: Path) -> None:
        self._dictionary = dictionary
        self._path = path
        self._line = 0
        self._vendor_id = 0
        self._members: list[tuple[int, str]] = []

    def read(self) -> None:
        """Take every statement of the file."""
        for line, statement in _statements(self._path.read_text(encoding="utf-8")):
            self._line = line
            self._take(statement)

    def _take(self, statement: str) -> None:
        match statement.split():
            case ["@vendor", name, number]:
                self._vendor_id = self._dictionary.vendors[name] = self._number(number)
            case ["@enum", name, *pairs]:
                self._enum(name, pairs)
            case ["@grouped", *_]:
                self._group(statement)
            case [name, code, kind, flags] if not name.startswith("@"):
                self._avp(name, code, kind, flags)
            case _:
                raise self._error(f"cannot read {statement!r}")

    def check_groups(self) -> None:
        """Check the groups' members, which may be defined further down than the group, or in a later file."""
        for line, name in self._members:
            if name not in self._dictionary:
                self._line = line
                raise self._error(f"the group names an AVP that is not defined: {name}")

    def _avp(self, name: str, code: str, kind: str, flags: str) -> None:
        if kind not in _TYPES:
            raise self._error(f"{name}: unknown type {kind!r}, one of {', '.join(_TYPES)}")
        if flags not in {"M", "-"}:
            raise self._error(f"{name}: flags are M or -, not {flags!r}")
        definition = Definition(name, self._number(code), self._vendor_id, _TYPES[kind], flags == "M")
        if self._dictionary.by_code(definition.code, self._vendor_id) is not None:
            raise self._error(f"{name}: code {code} of vendor {self._vendor_id} is defined already")
        if name in self._dictionary:
            raise self._error(f"{name} is defined already")
        self._dictionary.put(definition)

    def _enum(self, name: str, pairs: list[str]) -> None:
        definition = self._known(name)
        if len(pairs) % 2 or not pairs:
            raise self._error(f"{name}: values come in pairs of name and number")
        values = {key: self._number(number) for key, number in zip(pairs[::2], pairs[1::2], strict=True)}
        self._dictionary.put(msgspec.structs.replace(definition, values=values))

    def _group(self, statement: str) -> None:
        header = _GROUPED.fullmatch(statement)
        if header is None:
            raise self._error("a group begins with `@grouped Name ::= < AVP Header: code [vendor] >`")
        name, code, vendor, rest = header.groups()
        definition = self._known(name)
        if (int(code), int(vendor or 0)) != (definition.code, definition.vendor_id):
            raise self._error(
                f"{name} is AVP {definition.code} of vendor {definition.vendor_id}, not {code} {vendor or ''}"
            )
        if definition.type is not AvpType.GROUPED:
            raise self._error(f"{name} is {definition.type.spelling}, not Grouped")
        members = tuple(self._grammar(rest))
        self._dictionary.put(msgspec.structs.replace(definition, members=members))

    def _grammar(self, text: str) -> Iterator[Member]:
        position = 0
        while position < len(text):
            found = _MEMBER.match(text, position)
            if found is None:
                raise self._error(f"cannot read the group from {text[position:]!r}")
            position = found.end()
            least, star, most, required, optional, fixed = found.groups()
            name = required or optional or fixed
            minimum = int(least) if least else int(optional is None)
            maximum = (int(most) if most else None) if star else 1
            if name != "AVP":
                self._members.append((self._line, name))
                yield Member(name, minimum, maximum)

    def _known(self, name: str) -> Definition:
        try:
            return self._dictionary.by_name(name)
        except KeyError:
            raise self._error(f"{name} is not defined above") from None

    def _number(self, text: str) -> int:
        try:
            return int(text)
        except ValueError:
            raise self._error(f"{text!r} is not a number") from None

    def _error(self, message: str) -> LocalProtocolError:
        return LocalProtocolError(f"{self._path}:{self._line}: {message}", "diameter.dictionary")


@cache
def standard() -> Dictionary:
    """The dictionary that comes with the package, read once."""
    folder = Path(__file__).with_name("dictionaries")
    return Dictionary.load(*(folder / name for name in STANDARD_FILES))
