"""Which text in is a redelivery: the same SMSC delivers the same text again because our answer was late or lost.

SMPP gives a deliver_sm no identifier, so a redelivery is known by SMSC, source, destination and payload, and by its time: the
equal one was never answered, or was answered within the last ten seconds, or within ten seconds before its link dropped,
where this one comes within ten seconds of the new bind. It is none once another text of that source came since.

What counts as another text (decision 017) is one that was acted on, since the equal one came last:

- STOP and START need no more: acted on twice in their order, they end as they began, and none is lost.
- Everything else may move money, so where the SMSC had reason to deliver again it takes more: after a drop a text that came
  after it, by another link one that was no repetition itself. So GIVE and YES that both come again take one gift.
- A part of a long text carries its reference: an equal one is the same part, whatever came since.
"""

from collections.abc import Callable, Iterable, Sequence

import msgspec

WINDOW = 10_000_000
"""Microseconds: how long ago the equal text may have been answered, how long before a drop, how long after the new bind."""
KEPT = 64
"""Texts of one source that are remembered."""
MEMORY = 3_600_000_000
"""How long they are remembered, in microseconds."""


class Drop(msgspec.Struct, frozen=True):
    """The end of a link's bind. Texts of this link that were answered from `since` on may come again.

    `link` is "" for every link, where the process itself began anew; `bound_at` is 0 until the link is bound again.
    """

    link: str
    since: int
    dropped_at: int
    bound_at: int = 0


class Delivery(msgspec.Struct, array_like=True):
    """A text that a source sent: when it came last and was answered, by which link, and when it was acted on last.

    `place` and `acted` count the source's texts; `fresh`: it was no repetition of an equal one when it was acted on.
    """

    digest: str
    centre: str
    link: str
    came_at: int
    answered_at: int
    place: int
    acted: int
    acted_at: int
    fresh: bool


class Coming(msgspec.Struct, frozen=True):
    """A text that comes now: what is compared of it, the drops that it may come again after, its link's bind.

    `unanswered`: an equal one came that we never answered. `part`: it is a part of a long text; `opting`: STOP or START.
    """

    digest: str
    centre: str
    link: str
    came_at: int
    bound_at: int
    drops: tuple[Drop, ...] = ()
    unanswered: bool = False
    part: bool = False


def find(known: Iterable[Delivery], coming: Coming) -> Delivery | None:
    """Return the equal text that the same SMSC delivered before."""
    return next((d for d in known if d.digest == coming.digest and d.centre == coming.centre), None)


def is_repeat(known: Sequence[Delivery], earlier: Delivery, coming: Coming, opting: Callable[[], bool]) -> bool:
    """Return whether a text is `earlier` delivered again; `opting` says whether it is STOP or START, if that matters."""
    recent, drop = _recent(earlier, coming), _drop(earlier, coming)
    if not (recent or drop or coming.unanswered):
        return False
    if coming.part:
        return True
    since = [other for other in known if other is not earlier and other.acted > earlier.place]
    if not since:
        return True
    if opting():
        return False
    if coming.unanswered:
        return True
    fresh = [other for other in since if other.fresh]
    if recent and not (fresh or coming.link == earlier.link):
        return True
    return drop is not None and not any(other.acted_at > drop.dropped_at for other in fresh)


def record(known: list[Delivery], earlier: Delivery | None, coming: Coming, now: int, *, repeat: bool) -> None:
    """Remember a text, also a repetition: the answer to it may be lost as well."""
    place = max((d.place for d in known), default=0) + 1
    fresh = earlier is None or not (_recent(earlier, coming) or _drop(earlier, coming))
    if earlier is not None:
        known.remove(earlier)
    acted, acted_at = (earlier.acted, earlier.acted_at) if repeat and earlier is not None else (place, coming.came_at)
    if repeat and earlier is not None:
        fresh = earlier.fresh
    known.append(
        Delivery(coming.digest, coming.centre, coming.link, coming.came_at, now, place, acted, acted_at, fresh)
    )
    known[:] = [delivery for delivery in known if delivery.answered_at > now - MEMORY][-KEPT:]


def _recent(earlier: Delivery, coming: Coming) -> bool:
    return coming.came_at - earlier.answered_at <= WINDOW


def _drop(earlier: Delivery, coming: Coming) -> Drop | None:
    """Return the drop after which `earlier` may come again now."""
    for drop in coming.drops:
        bound_at = max(drop.bound_at, coming.bound_at if coming.bound_at > drop.dropped_at else 0)
        by_it = drop.link in ("", earlier.link) and earlier.answered_at >= drop.since
        before = not drop.bound_at or earlier.came_at < drop.bound_at
        if by_it and before and coming.came_at <= max(drop.dropped_at, bound_at) + WINDOW:
            return drop
    return None


class Drops:
    """The last drop of each link, for as long as texts may come again after it."""

    def __init__(self) -> None:
        """Begin without any."""
        self._drops: dict[str, Drop] = {}
        self._restart: Drop | None = None
        self._takeover: Drop | None = None
        self._bound: dict[str, int] = {}

    def restarted(self, last: int) -> None:
        """Take the start of the process for a drop of all links; `last` is when it is known to have lived."""
        self._restart = Drop("", last - WINDOW, last)

    def taken_over(self, last: int, now: int) -> None:
        """Take the end of another gateway for a drop of all links; `last` is when it is known to have lived."""
        self._takeover = Drop("", last - WINDOW, now)

    def bound(self, link: str, now: int) -> None:
        """Note a new bind."""
        self._bound[link] = now
        if link in self._drops:
            self._drops[link] = msgspec.structs.replace(self._drops[link], bound_at=now)

    def dropped(self, link: str, now: int) -> None:
        """Note the end of a bind; one that was too short for what was to come again leaves open what was open before."""
        since, before = now - WINDOW, self._before(link)
        if before is not None and now <= before.bound_at + WINDOW:
            since = min(since, before.since)
        self._drops[link] = Drop(link, since, now)

    def bound_at(self, link: str) -> int:
        """When a link was bound last, 0 if never."""
        return self._bound.get(link, 0)

    def after(self, link: str, now: int) -> tuple[Drop, ...]:
        """Return the drops after which a text may come again that comes by this link now; mostly none."""
        recent = [d for d in self._drops.values() if now <= max(d.dropped_at, d.bound_at, self.bound_at(link)) + WINDOW]
        if self._restart is not None and link not in self._drops and now <= self.bound_at(link) + WINDOW:
            recent.append(self._restart)
        if self._takeover is not None and now <= self._takeover.dropped_at + WINDOW:
            recent.append(self._takeover)
        return tuple(recent)

    def _before(self, link: str) -> Drop | None:
        if link in self._drops:
            return self._drops[link]
        if self._restart is None or link not in self._bound:
            return None
        return msgspec.structs.replace(self._restart, bound_at=self._bound[link])
