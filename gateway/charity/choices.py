"""Which causes a customer chose, and from when on: the choice at the time of use decides where a tenth goes."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from gateway.charity.policies import WHOLE

_PERCENT: Final = re.compile(r"\d{1,3}(\.\d{1,2})?", re.ASCII)


class ChoiceInvalid(ValueError):
    """A choice that cannot be kept: an unknown or closed cause, or shares that are not one whole."""


class Share(msgspec.Struct, frozen=True, gc=False):
    """A cause's part of a customer's tenth, in basis points."""

    cause: str
    share: int


class Choice(msgspec.Struct, frozen=True, gc=False):
    """A customer's shares from `valid_from` (microseconds) on."""

    valid_from: int
    shares: tuple[Share, ...]


def at(choices: Sequence[Choice], time: int) -> tuple[Share, ...]:
    """Return the shares in force at a time; none were chosen yet: an empty tuple. `choices` are in order of time."""
    for choice in reversed(choices):
        if choice.valid_from <= time:
            return choice.shares
    return ()


def parse(texts: Iterable[str], known: Iterable[str]) -> tuple[Share, ...]:
    """Read `cause` or `cause=percent` texts into shares; without percents they are equal, the first takes the remainder.

    Raises ChoiceInvalid naming the text at fault.
    """
    causes = set(known)
    parts = [text.partition("=") for text in texts]
    if not parts:
        raise ChoiceInvalid("name at least one cause")
    for name, _, _ in parts:
        if name not in causes:
            raise ChoiceInvalid(f"{name!r} is not an open cause; choose among {', '.join(sorted(causes))}")
    if len({name for name, _, _ in parts}) != len(parts):
        raise ChoiceInvalid("a cause is named twice")
    if not any(separator for _, separator, _ in parts):
        equal, rest = divmod(WHOLE, len(parts))
        return tuple(Share(name, equal + (rest if i == 0 else 0)) for i, (name, _, _) in enumerate(parts))
    shares = tuple(Share(name, _basis_points(name, percent)) for name, _, percent in parts)
    if sum(share.share for share in shares) != WHOLE:
        raise ChoiceInvalid("the percentages do not add up to 100")
    return shares


def _basis_points(name: str, percent: str) -> int:
    if not _PERCENT.fullmatch(percent):
        raise ChoiceInvalid(f"{name}={percent[:16]}: give a percentage with at most two decimals, such as {name}=50")
    whole, _, fraction = percent.partition(".")
    points = int(whole) * 100 + int(fraction.ljust(2, "0"))
    if not 0 < points <= WHOLE:
        raise ChoiceInvalid(f"{name}={percent}: a share is more than 0 and at most 100")
    return points
