"""Allowances: units of a service that a line may use before the plan's prices apply, until they end. Pure.

A line may have several. Use is covered by the one that ends soonest of those that count there (`covered`), then by the next, so
that a report may be split over some of them and money: what they covered and what was charged add up to what was used.
"""

from collections.abc import Iterator

import msgspec

BUNDLE, ADD_ON, ROLLED = "bundle", "add-on", "rolled"
"""What an allowance came from: the plan's bundle, something bought beside it, or what was left of a bundle before."""
CREDIT, PROMOTION = "credit", "promotion"
"""Allowances of money (MONEY): a part of the balance that ends, paid in by the customer or given by the company."""
UNITS = ("data", "voice", "sms")
"""The services whose units allowances hold: octets, seconds, texts."""
MONEY = "money"
"""The service of an allowance of money, in micro-units."""
ENDED_KEPT_US = 48 * 3600 * 1_000_000
"""An allowance stays this long after its end: a report may be that late and still count at its own time."""
Promise = tuple[int, int]
"""An allowance's id, and how many of its units are promised."""


class Allowance(msgspec.Struct, omit_defaults=True):
    """What is left until `ends_at` (microseconds), by service (octets, seconds, texts), and how much of that is promised.

    `zones` are the plan's zones in which it counts; none: where the rate says that a bundle covers it. `roll_over` names the
    services of which the rest goes on into the next period, `fair_use` how many octets may still be used in a zone.
    """

    plan: str
    ends_at: int
    left: dict[str, int]
    held: dict[str, int] = {}
    id: int = 0
    starts_at: int = 0
    kind: str = BUNDLE
    zones: tuple[str, ...] = ()
    roll_over: tuple[str, ...] = ()
    fair_use: dict[str, int] = {}
    price: int = 0
    """What was paid for it, in micro-units; without what credit of the company paid."""

    def available(self, service: str, zone: str = "") -> int:
        """Return the units of a service that nobody holds, in a zone as far as its fair use goes.

        Whoever holds some may use them in the zone, too: what two sessions are promised of it is there for both.
        """
        return max(0, self.within(zone, service, self.left.get(service, 0)) - self.held.get(service, 0))

    def within(self, zone: str, service: str, units: int) -> int:
        """Return how many of so many units may be used in a zone."""
        return (
            min(units, self.fair_use[zone]) if self.fair_use and zone in self.fair_use and service == "data" else units
        )

    def hold(self, service: str, units: int) -> None:
        """Promise units; a negative number gives them back."""
        self.held[service] = max(0, self.held.get(service, 0) + units)

    def take(self, service: str, units: int) -> None:
        """Take units from what is left, or put them back with a negative number; whoever asks knows that they are there."""
        self.left[service] = self.left.get(service, 0) - units


class Place(msgspec.Struct, frozen=True, gc=False):
    """Where something is used: the plan's zone (empty at home), and whether its price says that a bundle covers it.

    `apart` is a called number with a price of its own that no bundle covers, in whichever zone.
    """

    zone: str = ""
    in_bundle: bool = True
    apart: bool = False

    def counts(self, allowance: Allowance) -> bool:
        """Return whether an allowance covers use here."""
        if self.apart:
            return False
        return self.zone in allowance.zones if allowance.zones else self.in_bundle


HOME = Place()


class Covered(msgspec.Struct, frozen=True, gc=False):
    """Units of an allowance that cover a part of what is used, or wanted."""

    allowance: Allowance
    units: int


def running(allowances: list[Allowance], time: int, place: Place) -> list[Allowance]:
    """Return the allowances that cover use at a time (microseconds), the one that ends soonest first.

    Where one follows another there is no gap: use from before an allowance began that was not covered then is covered by it,
    since it would have been what it was sold for.
    """
    found = [allowance for allowance in allowances if time < allowance.ends_at and place.counts(allowance)]
    if len(found) > 1:
        found.sort(key=_ends)
    return found


def covered(allowances: list[Allowance], service: str, units: int, time: int, place: Place) -> list[Covered]:
    """Split used units over the allowances in force when they were used, and take them; the rest is to be paid."""
    parts = []
    for allowance in running(allowances, time, place):
        part = min(units, allowance.within(place.zone, service, allowance.left.get(service, 0)))
        if part > 0:
            allowance.take(service, part)
            if place.zone in allowance.fair_use and service == "data":
                allowance.fair_use[place.zone] -= part
            parts.append(Covered(allowance, part))
            units -= part
        if not units:
            break
    return parts


def promised(allowances: list[Allowance], service: str, units: int, now: int, place: Place) -> list[Covered]:
    """Split wanted units over what nobody holds of the allowances in force; nothing is held yet."""
    parts = []
    for allowance in running(allowances, now, place):
        part = min(units, allowance.available(service, place.zone))
        if part > 0:
            parts.append(Covered(allowance, part))
            units -= part
        if not units:
            break
    return parts


def hold(parts: list[Covered], service: str) -> list[Promise]:
    """Promise what was split, and name it so that it can be given back."""
    for part in parts:
        part.allowance.hold(service, part.units)
    return [(part.allowance.id, part.units) for part in parts]


def give_back(allowances: list[Allowance], service: str, promises: list[Promise]) -> Iterator[Covered]:
    """Give promised units back to their allowances, those that are still there, and tell which these were."""
    for number, units in promises:
        found = next((allowance for allowance in allowances if allowance.id == number), None)
        if found is not None:
            found.hold(service, -units)
            yield Covered(found, units)


def ends_for_good(allowance: Allowance) -> int:
    """Return the time (microseconds) from which on nothing counts on an allowance any more, and what is left is no more.

    Use may be reported late, and is covered then as of its own time; money is spent when a report comes.
    """
    return allowance.ends_at if MONEY in allowance.left else allowance.ends_at + ENDED_KEPT_US


def _ends(allowance: Allowance) -> tuple[int, int]:
    """Of two that end together the one that was there first goes first: what rolled over is named before it is sold anew."""
    return allowance.ends_at, allowance.id
