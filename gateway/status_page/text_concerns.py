"""What is not as it should be with links and texts: pure, of what the running gateway counts."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from gateway.concerns import Concern, concern

OFTEN: Final = 3
"""Losses of a link within ten minutes that are said."""
MANY_WAIT: Final = 1000
"""Texts that may wait for a link."""


class LinkStanding(msgspec.Struct, frozen=True):
    """A link that carries texts out, and how it was put away by command; "": it was not."""

    name: str
    away: str = ""


def text_concerns(
    links: Sequence[LinkStanding],
    losses: Mapping[str, int],
    *,
    stranded: int,
    waiting: int,
    doubtful: int,
    without_route: int,
) -> list[Concern]:
    """Say in words what is not as it should be.

    Args:
        losses: within the last ten minutes, by link.
        stranded: parts whose links were all taken down or suspended; without_route: those that no route takes.
        waiting: parts and texts that wait for a link, of which there are too many at some point.
        doubtful: texts of which nobody knows whether they were sent.
    """
    found = []
    if doubtful:
        words = f"{doubtful:,} text{'s' * (doubtful != 1)} may have been sent or not"
        found.append(concern("texts.doubtful", words))
    for name, count in losses.items():
        if count >= OFTEN:
            found.append(concern("link.unstable", f"link {name} was lost {count} times in ten minutes", name))
    if stranded:
        away = [f"{link.name} is {link.away}" for link in links if link.away]
        why = " and ".join(away) or "there is none"
        found.append(concern("texts.stranded", f"{_texts(stranded)} and no link takes them: {why}"))
    elif waiting > MANY_WAIT:
        found.append(concern("texts.waiting", f"{waiting:,} texts wait for a link"))
    if without_route:
        found.append(concern("texts.without_route", f"{_texts(without_route)} and no route takes them"))
    return found


def _texts(number: int) -> str:
    return f"{number:,} {'part of a text waits' if number == 1 else 'parts of texts wait'}"
