"""Public-safe sums: what may be published about giving, decided without a clock or a store.

One figure a calendar month, cause and currency, in whole units of the currency; what is left over is carried on. A figure
stands alone only if it is *broad*: at least 50 different subscribers gave in that month, and the sum is really theirs: no part
makes a third of its variance, and it is as if at least ten had given alike. (Regression over 36 months names the heaviest of
50 givers otherwise: decision 019 has the figures.)

All other causes are joined into "smaller causes", which has to be broad itself, and of two causes at least. Whoever knows
the prices knows the total of all tenths, and so also what was *not* published. So where the small causes together are not
broad, or there is one alone, the large one with the fewest givers joins them, and so on: no difference of figures is that of
a small cause.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from gateway.ledger.money import MICRO, digits_of

FEWEST: Final = 50
"""Different subscribers of one month behind a figure."""
MOST_OF_VARIANCE: Final = 3
"""The largest part's square is at most the third part of the sum of all squares."""
FEWEST_ALIKE: Final = 10
"""So many equal parts would give the same sum, and the same sum of squares, at least: (sum)^2 / (sum of squares)."""
FEWEST_CAUSES: Final = 2
"""Causes in the joined figure."""
SMALLER: Final = "smaller causes"
"""What the joined figure is called; a cause's id has no space."""
PENNY_DIGITS: Final = 2
"""Minor-unit digits of currencies whose major unit is worth about a pound."""

Key = tuple[str, str]
"""A cause's id and a currency."""


class Giving(msgspec.Struct):
    """What was given to a cause and stands in no figure yet, in micro-units.

    `parts` is whose it is, as far as that is known and not yet in a figure; `amount` is all of it, with the rest of earlier
    figures. `givers` are the subscribers who gave in the month that is decided on.
    """

    amount: int = 0
    parts: dict[int, int] = {}
    givers: set[int] = set()

    def add(self, subscriber: int | None, amount: int) -> None:
        """Count what somebody gave in this month; nobody is known of some corrections."""
        self.amount += amount
        if subscriber is not None:
            self.parts[subscriber] = self.parts.get(subscriber, 0) + amount
            self.givers.add(subscriber)

    @property
    def broad(self) -> bool:
        """Whether enough different people gave in this month, and no single one stands out."""
        if len(self.givers) < FEWEST:
            return False
        parts = [abs(part) for part in self.parts.values()]
        squares = sum(part * part for part in parts)
        return max(parts) ** 2 * MOST_OF_VARIANCE <= squares and squares * FEWEST_ALIKE <= sum(parts) ** 2


class Figure(msgspec.Struct, frozen=True):
    """What is published of a month: an amount in micro-units that is whole units of the currency."""

    cause: str
    currency: str
    amount: int


class Decision(msgspec.Struct, frozen=True):
    """The figures of a month, and what is carried on to the next."""

    figures: list[Figure]
    carried: dict[Key, Giving]


def decide(giving: Mapping[Key, Giving]) -> Decision:
    """Decide on a month's figures from what was given in it and what was carried on to it.

    Under the key `SMALLER` stands the rest of the joined figure.
    """
    figures: list[Figure] = []
    carried: dict[Key, Giving] = {}
    for currency in sorted({currency for _, currency in giving}):
        own = {cause: msgspec.structs.replace(each) for (cause, its), each in giving.items() if its == currency}
        alone, joined = _divide(own)
        figures += [figure for cause in alone if (figure := _publish(cause, currency, own[cause]))]
        pool = _join([own[cause] for cause in (SMALLER, *joined) if cause in own])
        if joined and (figure := _publish(SMALLER, currency, pool)):
            figures.append(figure)
            own = {cause: each for cause, each in own.items() if cause not in joined} | {SMALLER: pool}
        for cause, each in own.items():
            if each.amount or each.parts:
                carried[cause, currency] = msgspec.structs.replace(each, givers=set())
    return Decision(figures, carried)


def unit_of(currency: str) -> int:
    """Return the step of published amounts in micro-units: a pound, a dollar, or 100 of a currency without minor units."""
    zeros = max(0, PENNY_DIGITS - digits_of(currency))
    return MICRO * int("1" + "0" * zeros)


def _divide(own: Mapping[str, Giving]) -> tuple[list[str], list[str]]:
    """Return which causes have a figure of their own, and which are joined.

    If joining them all is not enough, all are joined, and nothing is published: such a sum is not broad.
    """
    open_causes = {cause: each for cause, each in own.items() if each.parts and cause != SMALLER}
    alone = [cause for cause, each in open_causes.items() if each.broad]
    alone.sort(key=lambda cause: (-len(own[cause].givers), cause))
    joined = sorted(open_causes.keys() - set(alone))
    while joined and alone and not _may_be_joined([own[cause] for cause in joined]):
        joined.append(alone.pop())
    return alone, joined


def _may_be_joined(members: list[Giving]) -> bool:
    return len(members) >= FEWEST_CAUSES and _join(members).broad


def _join(members: list[Giving]) -> Giving:
    joined = Giving()
    for member in members:
        joined.amount += member.amount
        joined.givers |= member.givers
        for subscriber, part in member.parts.items():
            joined.parts[subscriber] = joined.parts.get(subscriber, 0) + part
    return joined


def _publish(cause: str, currency: str, giving: Giving) -> Figure | None:
    """Return the figure, and leave its rest, if there is a whole unit to be told and it is broad."""
    unit = unit_of(currency)
    whole = giving.amount // unit * unit
    if whole <= 0 or not giving.broad:
        return None
    giving.amount -= whole
    giving.parts = {}
    return Figure(cause, currency, whole)
