"""Routing: the links to SMSCs, how many parts each has room for, and which one carries a part."""

from collections.abc import Iterable, Mapping

import msgspec

from protocols.smpp.alphabets import Alphabet
from protocols.smpp.client import Link, LinkConfig
from protocols.smpp.receipts import STATS, IdForm, MessageState

MOST_PAUSED = 2000
"""Parts of one link that may pause at once: an SMSC that puts everything off gets nothing new for a while."""


class Route(msgspec.Struct, frozen=True):
    """A link and what we know of its SMSC's ways. `doubtful` is resend, wait (seconds: `wait`) or fail.

    `query_after`: seconds after which a text without a receipt is asked for; 0: never. `by_text`: its receipts come as plain
    texts. A part is sent `attempts` times without an answer, and then no more. `country` is the one whose numbers it carries in
    national form, `stats` what the words for states in its receipts mean.
    """

    config: LinkConfig
    alphabet: Alphabet
    form: IdForm
    doubtful: str
    wait: float
    query_after: float = 0.0
    by_text: bool = False
    attempts: int = 3
    country: str = ""
    stats: Mapping[str, MessageState] = msgspec.field(default_factory=lambda: STATS)

    @property
    def sends(self) -> bool:
        """Whether its bind lets us submit."""
        return self.config.bind != "receiver"

    @property
    def asks(self) -> bool:
        """Whether silent texts are asked for by it."""
        return self.query_after > 0 and self.sends


class SmscLink:
    """A link at work: how many parts are promised to it, and how many pause that are to be sent again."""

    def __init__(self, route: Route, link: Link) -> None:
        """Take the route and its SMPP session."""
        self.route, self.link = route, link
        self.name = route.config.name
        self.smsc = f"{route.config.host}:{route.config.port}"[:64]
        """The SMSC behind the link: a receipt may come by another bind to it than its text went out by."""
        self._promised = self._paused = 0

    @property
    def room(self) -> int:
        """How many parts it can be given now."""
        sends = self.route.sends and self._paused < MOST_PAUSED
        return self.link.window_free - self._promised if sends else 0

    def promise(self) -> None:
        """Keep a place in its window for a part that is being written down."""
        self._promised += 1

    def release(self) -> None:
        """Give a promised place back."""
        self._promised -= 1

    def begin_pause(self) -> None:
        """Count a part that is to be sent again later."""
        self._paused += 1

    def end_pause(self) -> None:
        """Count a part that pauses no more."""
        self._paused -= 1


class Rooms:
    """The room that each link has at one moment, given away part by part."""

    def __init__(self, links: Iterable[SmscLink]) -> None:
        """Look at the links."""
        self._left = {link: link.room for link in links}

    def widest(self) -> SmscLink | None:
        """Give the link with the most room, None if no link has any."""
        link = max(self._left, key=self._left.__getitem__, default=None)
        return link if link is not None and self._left[link] > 0 else None

    def take(self, link: SmscLink) -> None:
        """Take one place of a link for a part."""
        self._left[link] -= 1
        link.promise()
