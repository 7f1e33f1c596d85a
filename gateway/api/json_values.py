"""JSON of clients: read in one way for HTTP and for the socket, and refused in our own words, never in a codec's.

What is given on holds nothing that the store can't hold (`gateway.store.fitting`), so an action looks at the meaning alone.
"""

import json
import re
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

import msgspec

from gateway.api.problems import Problem, bad_request
from gateway.store.fitting import LEAST_INTEGER, MOST_INTEGER, misfit

MAX_DEPTH: Final = 16
"""How deep lists and objects may stand in each other."""
MAX_VALUES: Final = 100_000
"""Values in one body: twice what the largest import has."""
_OCTET: Final = re.compile(r"\(byte (\d+)\)")

Path = tuple[()] | tuple["Path", object]
"""Where a value stands: (the path of what holds it, its name or place); () is the whole."""


def read_value(body: bytes, code: str) -> object:
    """Read a body as JSON and check all its values; Problem under `code` where it is no JSON, else as `check_value`."""
    # Before they take many times their octets; prose has one comma in dozens of letters.
    if body.count(b",") > 3 * MAX_VALUES:
        raise _too_many()
    try:
        value = msgspec.json.decode(body)
    except RecursionError:
        raise _too_deep() from None
    except msgspec.ValidationError:
        raise _refused("the body has a number that is too large: give numbers within 64 bits") from None
    except UnicodeDecodeError:
        raise bad_request(code, "the body is no JSON: give it in UTF-8") from None
    except msgspec.DecodeError as error:
        octet = _OCTET.search(str(error))
        where = f"see its octet {octet.group(1)}" if octet else "it ends too early, or in half of a surrogate pair"
        raise bad_request(code, f"the body is no JSON: {where}") from None
    check_value(value)
    if b"{" in body:
        with suppress(ValueError):  # it is JSON, and small enough: nothing else can be wrong with it
            json.loads(body, object_pairs_hook=_check_names)
    return value


def _check_names(pairs: list[tuple[str, object]]) -> None:
    """Refuse an object that names one thing twice: readers differ in which of both they take (RFC 8259 §4)."""
    names = {name for name, _ in pairs}
    if len(names) != len(pairs):
        raise _refused("the body has an object that names one thing twice: give each name once")


def check_value(value: object) -> None:
    """Refuse what is nested too deep, has too many values, or holds a text or number that the store can't hold."""
    waiting: list[tuple[object, Path, int]] = [(value, (), 0)]
    seen = 0
    while waiting:
        item, path, depth = waiting.pop()
        inner: Iterable[tuple[object, object]] = ()
        size = 0
        match item:
            case str():
                _check_text(item, path)
            case bool() | None:
                pass
            case int() | float():
                if not LEAST_INTEGER <= item <= MOST_INTEGER:
                    raise _refused(f"{_spell(path)}: the number is too large: give one within 64 bits")
            case dict():
                inner, size = item.items(), len(item)
            case list() | tuple():
                inner, size = enumerate(item), len(item)
        if size and depth == MAX_DEPTH:
            raise _too_deep()
        seen += size
        if seen > MAX_VALUES:
            raise _too_many()
        for name, each in inner:
            if isinstance(name, str):
                _check_text(name, path)
            waiting.append((each, (path, name), depth + 1))


def _check_text(text: str, path: Path) -> None:
    why = misfit(text)
    if why is not None:
        raise _refused(f"{_spell(path)}: the text {why}: leave that character out")


def _spell(path: Path) -> str:
    """Write a path as people do: `rows[3].msisdn`."""
    parts: list[str] = []
    while path:
        path, name = path
        parts.append(f"[{name}]" if isinstance(name, int) else f".{str(name)[:64]}")
    return "".join(reversed(parts)).removeprefix(".") or "the body"


def _too_deep() -> Problem:
    return _refused(f"the body has lists or objects more than {MAX_DEPTH} deep in each other: give it flat")


def _too_many() -> Problem:
    return _refused(f"the body has more than {MAX_VALUES} values: give it in parts")


def _refused(detail: str) -> Problem:
    return bad_request("params.invalid", detail)
