"""Routing: the links to SMSCs, how many parts each has room for, and which one carries a part."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache

import msgspec
import phonenumbers

from gateway.messaging.texts import Text
from protocols.smpp.alphabets import Alphabet
from protocols.smpp.client import Link, LinkConfig
from protocols.smpp.receipts import STATS, IdForm, MessageState

SHORT_CODE_DIGITS = 8
"""Digits of the longest short code: no number of a country is as short."""
MOST_PAUSED = 2000
"""Parts of one link that may pause at once: an SMSC that puts everything off gets nothing new for a while."""


class Route(msgspec.Struct, frozen=True):
    """A link and what we know of its SMSC's ways. `doubtful` is resend, wait (seconds: `wait`) or fail.

    `query_after`: seconds after which a text without a receipt is asked for; 0: never. `by_text`: its receipts come as plain
    texts. A part is sent `attempts` times without an answer, and then no more. `no_route` are codes by which its SMSC says
    that it cannot reach a number (beside protocols.smpp.status_policy). `country` is the one whose numbers it carries in
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
    no_route: frozenset[int] = frozenset()
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

    @property
    def available(self) -> bool:
        """Whether it carries parts at all now: up, not suspended, and its SMSC has not put us off for a while."""
        return self.route.sends and self._paused < MOST_PAUSED and self.link.available

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


class RouteRule(msgspec.Struct, frozen=True):
    """An entry of smpp.routes: which texts it takes, and the links that carry them, the first that is available.

    `prefixes` of the destination (E.164 digits), `senders` and `countries` (ISO 3166) of the destination; empty: any.
    """

    links: tuple[str, ...]
    prefixes: tuple[str, ...] = ()
    senders: frozenset[str] = frozenset()
    countries: frozenset[str] = frozenset()

    def takes(self, text: Text) -> bool:
        """Whether it is a route of a text."""
        destination = text.destination.removeprefix("+")
        if self.prefixes and not destination.startswith(self.prefixes):
            return False
        if self.senders and text.source.removeprefix("+") not in self.senders:
            return False
        return not self.countries or country_of(destination) in self.countries


@lru_cache(4096)
def country_of(number: str) -> str | None:
    """Return the country that a number (E.164 digits) lies in, None where it is of none: a short code, say."""
    if not number.isdecimal() or len(number) <= SHORT_CODE_DIGITS:
        return None
    try:
        parsed = phonenumbers.parse(f"+{number}")
    except phonenumbers.NumberParseException:
        return None
    country: str | None = phonenumbers.region_code_for_number(parsed)
    if country is None and parsed.country_code is not None:
        country = phonenumbers.region_code_for_country_code(parsed.country_code)
    return None if country in ("ZZ", "001") else country  # no country's, or satellites and the like


class Way(msgspec.Struct, frozen=True):
    """The links that may carry a part: the first of `preferred` that is available; with `others`, the widest of all the rest.

    `excluded` are links whose SMSC cannot reach the number. A way without any link has come to its end.
    """

    preferred: tuple[str, ...] = ()
    others: bool = False
    excluded: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        """Whether any link is left."""
        return bool(self.preferred or self.others)

    def leads_by(self, link: "SmscLink") -> bool:
        """Whether a link may carry the part."""
        return link.name in self.preferred or (self.others and link.name not in self.excluded)


ANY = Way(others=True)
"""Of a gateway without routes: its links share the texts."""


class RoutingTable:
    """The routes in force: an ordered list of rules, none where all links share all texts.

    An answer takes the link that its question came by, or another one to that SMSC, before any route.
    """

    def __init__(self, links: Callable[[], Collection[SmscLink]], rules: Sequence[RouteRule] = ()) -> None:
        """Take the links of the moment, and the rules."""
        self._links, self.rules = links, tuple(rules)

    def way(self, text: Text, came_by: str = "", no_route: Collection[str] = ()) -> Way | None:
        """Return the way of a part that the SMSCs of the links `no_route` cannot deliver; None if no rule takes its text."""
        if not (self.rules or came_by or no_route):
            return ANY
        own = self._own(came_by) if came_by else []
        if not self.rules:
            left = tuple(name for name in own if name not in no_route)
            if left:
                return Way(left)
            rest = any(link.route.sends and link.name not in no_route for link in self._links())
            return Way(others=rest, excluded=frozenset(no_route))
        matching = [rule.links for rule in self.rules if rule.takes(text)]
        if not (matching or own):
            return None
        for names in matching or [()]:
            left = tuple(name for name in dict.fromkeys((*own, *names)) if name not in no_route)
            if left:
                return Way(left)
        return Way()

    def _own(self, came_by: str) -> list[str]:
        """Name the links to the SMSC that a text came from, the one that it came by first."""
        centres = {link.smsc for link in self._links() if link.name == came_by}
        own = [link.name for link in self._links() if link.route.sends and link.smsc in centres]
        return sorted(own, key=lambda name: name != came_by)


class Rooms:
    """The room that each link has at one moment, given away part by part."""

    def __init__(self, links: Iterable[SmscLink]) -> None:
        """Look at the links."""
        self._left = {link: link.room for link in links}
        self._named = {link.name: link for link in self._left}

    def find(self, way: Way, avoid: Collection[str] = ()) -> SmscLink | None:
        """Return the link that carries a part now, None if it has to wait; of those to avoid only where there is no other."""
        for name in way.preferred:
            link = self._named.get(name)
            if link is not None and link.available and name not in avoid:
                return link if self._left[link] > 0 else None
        if way.others:
            link = self.widest({*way.preferred, *way.excluded, *avoid})
            if link is not None:
                return link
        return self.find(way) if avoid else None

    def widest(self, excluded: Collection[str] = ()) -> SmscLink | None:
        """Return the link with the most room, None if no link has any."""
        links = [link for link in self._left if link.name not in excluded] if excluded else self._left
        link = max(links, key=self._left.__getitem__, default=None)
        return link if link is not None and self._left[link] > 0 else None

    def take(self, link: SmscLink) -> None:
        """Take one place of a link for a part."""
        self._left[link] -= 1
        link.promise()


def elsewhere(way: Way, links: Iterable[SmscLink], avoid: Collection[str]) -> bool:
    """Whether another link than those to avoid could carry a part of this way now."""
    return any(link.available and link.name not in avoid and way.leads_by(link) for link in links)
