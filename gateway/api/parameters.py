"""Parameters of actions, each read by its kind: what is of another kind is refused by its name, and nothing is converted."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from gateway.api.problems import bad_request
from gateway.store.fitting import LEAST_INTEGER, MOST_INTEGER

MAX_TEXT: Final = 255
"""Characters of a parameter that is a text."""
MAX_ID: Final = 1 << 62
"""Above every identifier (a node's number and a place in its span, `gateway.store.nodes`), with room to reckon."""
Params = Mapping[str, Any]


def whole(params: Params, name: str, default: int, most: int, least: int = 0) -> int:
    """Read a whole number of a range; `default` where there is none."""
    value = params.get(name)
    if value is None:
        return default
    if type(value) is not int or not least <= value <= most:
        raise bad_request("params.invalid", f"{name}: give a whole number from {least} to {most}")
    return value


def limit(params: Params, default: int, most: int) -> int:
    """Read how many rows are wanted; more than `most` are given in pages, none given means `default`."""
    return min(whole(params, "limit", default, MAX_ID) or default, most)


def text(params: Params, name: str, most: int = MAX_TEXT) -> str:
    """Read a text that has to be there."""
    value = params.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= most:
        raise bad_request("params.text", f"{name}: give a text of 1 to {most} characters")
    return value


def text_or_none(params: Params, name: str, most: int = MAX_TEXT) -> str | None:
    """Read a text that may be left out; an empty one says as much as none."""
    return text(params, name, most) if params.get(name) not in (None, "") else None


def time_or_none(params: Params, name: str) -> int | None:
    """Read a time in microseconds since 1970, which may be left out."""
    return None if params.get(name) is None else whole(params, name, 0, MOST_INTEGER, LEAST_INTEGER)


def flag(params: Params, name: str) -> bool:
    """Read a yes or no; none means no."""
    value = params.get(name)
    if value is not None and not isinstance(value, bool):
        raise bad_request("params.invalid", f"{name}: give true or false")
    return bool(value)


def choice(params: Params, name: str, known: Iterable[str]) -> str | None:
    """Read one of some words; None where none is given."""
    value, words = params.get(name), list(known)
    if value is not None and value not in words:
        raise bad_request("params.invalid", f"{name}: give one of {', '.join(words)}")
    return None if value is None else str(value)
