"""What is not as it should be with links and texts, each with its runbook: pure, of what the running gateway tells."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

OFTEN: Final = 3
"""Losses of a link within ten minutes that are said."""
WITHOUT_ALERT: Final = ("nothing-configured", "texts-without-link", "texts-without-route")
"""Pages of docs/runbooks that the status page alone leads to."""


class TextConcern(msgspec.Struct, frozen=True):
    """What to look at, and the page of docs/runbooks that says how."""

    what: str
    runbook: str

    def __str__(self) -> str:
        """Say both."""
        return f"{self.what} (docs/runbooks/{self.runbook}.md)"


class LinkStanding(msgspec.Struct, frozen=True):
    """A link that carries texts out, and how it was put away by command; "": it was not."""

    name: str
    away: str = ""


def text_concerns(
    links: Sequence[LinkStanding],
    losses: Mapping[str, int],
    *,
    stranded: int,
    doubtful: str,
    without_route: int,
    anything_else: bool,
) -> list[TextConcern]:
    """Say in words what is not as it should be.

    Args:
        losses: within the last ten minutes, by link.
        stranded: parts whose links were all taken down or suspended; without_route: those that no route takes.
        doubtful: how many texts are, as it is shown.
        anything_else: a Diameter peer or a host is configured.
    """
    found = []
    if not links and not anything_else:
        found.append(TextConcern("nothing is configured: no SMSC, no Diameter peer, no host", "nothing-configured"))
    if doubtful not in ("", "0"):
        found.append(
            TextConcern(f"{doubtful} text{'s' * (doubtful != '1')} may have been sent or not", "texts-doubtful")
        )
    for name, count in losses.items():
        if count >= OFTEN:
            found.append(TextConcern(f"link {name} was lost {count} times in ten minutes", "link-lost-often"))
    if stranded:
        away = [f"{link.name} is {link.away}" for link in links if link.away]
        why = " and ".join(away) or "there is none"
        found.append(TextConcern(f"{_texts(stranded)} and no link takes them: {why}", "texts-without-link"))
    if without_route:
        found.append(TextConcern(f"{_texts(without_route)} and no route takes them", "texts-without-route"))
    return found


def _texts(number: int) -> str:
    return f"{number} {'part of a text waits' if number == 1 else 'parts of texts wait'}"
