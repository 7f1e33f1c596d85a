"""Read YAML so that it can't bend a value, and remember on which line everything stands.

Plain YAML turns `0046` into 38, `+4477...` into a number, `no` into false and `12:30:00` into 45000; it takes the last
of two equal keys and expands an alias bomb. This loader walks PyYAML's parse events itself: it resolves only `null`,
`true`, `false`, decimal integers without leading zeros, and decimals (as `Decimal`); everything else stays text.
Keys are always text. Equal keys, anchors, aliases, tags and a second document are refused, each with its line.

LibYAML's parser, which PyYAML's wheels bring, takes a twentieth of the time of PyYAML's own: the files as they are shipped in
one millisecond, not in twenty. What it does not take is read again by PyYAML's own, so that the words of a problem are the same
with and without it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from gateway.settings.problems import KeyPath, Problem, dotted
from gateway.store.named_files import open_named

MAX_FILE_SIZE: Final = 1024 * 1024
"""Octets; a plan file of a thousand plans has a tenth of it."""

MAX_DEPTH: Final = 32
"""Levels of nesting; the deepest key of our own has six."""

# Eighteen digits fit 64 bits; a longer run is an identifier that somebody forgot to quote, not a quantity.
_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]{0,17}", re.ASCII)
_DECIMAL: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})\.[0-9]{1,18}", re.ASCII)
_FAST: Final[Any] = getattr(yaml, "CSafeLoader", None)
"""None where PyYAML was built without LibYAML."""
_BYTE_ORDER_MARK: Final = "\ufeff"
"""Amid a file LibYAML takes it for a blank and PyYAML for a character."""
_WORDS: Final[dict[str, Any]] = {"": None, "null": None, "true": True, "false": False}


class Document(msgspec.Struct):
    """One file's value with the line of each key and of each value, and what the loader refused in it.

    `value` holds only dict, list, str, int, Decimal, bool and None. `broken` are the paths whose value isn't the
    operator's (an alias, say), so that nobody complains about them twice; `unreadable` says that the rest is missing.
    """

    file: str
    value: Any = None
    key_lines: dict[KeyPath, int] = {}
    value_lines: dict[KeyPath, int] = {}
    problems: list[Problem] = []
    broken: set[KeyPath] = set()
    unreadable: bool = False

    def line(self, path: KeyPath, *, of_key: bool = False) -> int:
        """Return the line of a value (or of its key), or of the nearest thing around it that stands in the file."""
        lines = self.key_lines if of_key else self.value_lines
        for length in range(len(path), 0, -1):
            found = lines.get(path[:length]) or self.key_lines.get(path[:length])
            if found is not None:
                return found
        return self.value_lines.get((), 1)


def load_file(path: Path) -> Document:
    """Read one YAML file; a file that can't be read is a problem of the document, not an exception."""
    document = Document(file=str(path))
    try:
        with open_named(path) as file:
            content = file.read(MAX_FILE_SIZE + 1)
    except OSError as error:
        return _unreadable(document, 1, f"can't be read: {error.strerror or error}")
    if len(content) > MAX_FILE_SIZE:
        return _unreadable(document, 1, f"is larger than {MAX_FILE_SIZE} octets")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        return _unreadable(document, content.count(b"\n", 0, error.start) + 1, "is not UTF-8 text")
    return load_text(text, document.file)


def load_text(text: str, file: str) -> Document:
    """Read YAML text that stands in a file of this name."""
    if _FAST is not None and _BYTE_ORDER_MARK not in text:
        document = Document(file)
        with suppress(yaml.YAMLError, ValueError, OverflowError, _TooDeep):
            document.value = _Reader(text, document, _FAST).document()
            return document
    document = Document(file)
    reader = _Reader(text, document, yaml.SafeLoader)
    try:
        document.value = reader.document()
    except _TooDeep as error:
        _unreadable(document, error.line, f"is nested more than {MAX_DEPTH} levels deep", reader.path)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        _unreadable(document, line, f"is not YAML: {error.problem or error.context}", reader.path)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        _unreadable(document, line, f"holds a character that YAML doesn't allow (U+{error.character:04X})")
    except (ValueError, OverflowError):
        # PyYAML lets these escape on `\UFFFFFFFF` and on a %YAML version of thousands of digits.
        _unreadable(document, reader.line, "is not YAML: a number or escape out of range", reader.path)
    return document


def _unreadable(document: Document, line: int, message: str, path: KeyPath = ()) -> Document:
    document.problems.append(Problem(document.file, line, dotted(path) or "file", message))
    document.unreadable = True
    return document


class _TooDeep(Exception):
    def __init__(self, line: int) -> None:
        self.line = line


class _Reader:
    """Builds plain values out of PyYAML's events; `path` is the place it has come to, for the message of an error."""

    def __init__(self, text: str, document: Document, loader: Any) -> None:  # noqa: ANN401  (one of PyYAML's parsers)
        self._into = document
        self.path: KeyPath = ()
        self.line = 1
        self._events: Iterator[yaml.Event] = yaml.parse(text, Loader=loader)

    def _next(self) -> yaml.Event:
        event = next(self._events)
        if event.start_mark is not None:
            self.line = event.start_mark.line + 1
        return event

    def document(self) -> Any:  # noqa: ANN401  (whatever the file holds)
        """Read the one document of the stream."""
        self._next()  # the stream's start
        event = self._next()
        if isinstance(event, yaml.StreamEndEvent):
            return None
        value = self._value(self._next(), ())
        self._next()  # the document's end
        if not isinstance(self._next(), yaml.StreamEndEvent):
            self._refuse((), "holds a second document (`---`); one file is one document", broken=False)
        return value

    def _refuse(self, path: KeyPath, message: str, *, broken: bool = True) -> None:
        document = self._into
        document.problems.append(Problem(document.file, self.line, dotted(path) or "file", message))
        if broken:
            document.broken.add(path)

    def _value(self, event: yaml.Event, path: KeyPath) -> Any:  # noqa: ANN401  (whatever stands there)
        self.path = path
        self._into.value_lines[path] = self.line
        if isinstance(event, yaml.AliasEvent):
            self._refuse(path, f"the alias `*{event.anchor}` is not allowed; write the value out")
            return None
        self._check_marks(event, path)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, path)
        if len(path) >= MAX_DEPTH:
            raise _TooDeep(self.line)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        return self._mapping(path)

    def _check_marks(self, event: yaml.Event, path: KeyPath) -> None:
        if (anchor := getattr(event, "anchor", None)) is not None:
            self._refuse(path, f"the anchor `&{anchor}` is not allowed", broken=False)
        if (tag := getattr(event, "tag", None)) is not None:
            self._refuse(path, f"the tag `{tag}` is not allowed; write the value without it")

    def _scalar(self, event: yaml.ScalarEvent, path: KeyPath) -> Any:  # noqa: ANN401  (text, a number, a truth value or nothing)
        text: str = event.value
        if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
            self._refuse(path, "holds half of a surrogate pair, which is no character")
            return ""
        return resolve(text) if event.implicit[0] else text

    def _sequence(self, path: KeyPath) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            items.append(self._value(event, (*path, len(items))))
        return items

    def _mapping(self, path: KeyPath) -> dict[str, Any]:
        pairs: dict[str, Any] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key, line = self._key(event, path), self.line
            here = (*path, key)
            if key in pairs:
                first = self._into.key_lines[here]
                self._refuse(here, f"is given twice; the first is on line {first}", broken=False)
                self._value(self._next(), (*here, "(again)"))
                continue
            self._into.key_lines[here] = line
            pairs[key] = self._value(self._next(), here)
        return pairs

    def _key(self, event: yaml.Event, path: KeyPath) -> str:
        if isinstance(event, yaml.ScalarEvent):
            # A key is printed in messages, which half of a surrogate pair would break.
            key = str(event.value).encode(errors="backslashreplace").decode()
            self._check_marks(event, (*path, key))
            return key
        key = f"(key of line {self.line})"
        self._refuse((*path, key), "a key must be plain text")
        self._value(event, (*path, key))
        return key


def resolve(text: str) -> str | int | Decimal | bool | None:
    """Return what a plain scalar stands for: a word, a number, or the text itself.

    `0046`, `+447700900123`, `no`, `01`, `12:30:00`, `1e3` and `~` are text; `0.07` is exactly that.
    """
    if text in _WORDS:
        word: bool | None = _WORDS[text]
        return word
    if _INTEGER.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        return Decimal(text)
    return text
