"""What a customer may buy: the prices of a plan, in micro-units, as config/plans.yaml gives them.

The store keeps each plan as JSON (rating.plan_history): a field that is added later has a default that means what was meant
before it was there, and is left out where it has that.
"""

from functools import lru_cache

import msgspec

from gateway.rating.plan_taxes import PlanTax


class Rate(msgspec.Struct, frozen=True, omit_defaults=True):
    """A price a quantity: `price` micro-units for `per` units (octets, seconds or messages).

    Usage counts in whole `step`s, and as `minimum` units at least once there is any. `in_bundle`: a bundle covers it, and a cap
    counts it. `connection` micro-units fall once a session, with its first unit: a call that nobody answered has none.
    `service` is what the called party has on top. `at`: what it costs instead in some of the plan's tariff periods.
    """

    price: int
    per: int
    step: int = 1
    minimum: int = 0
    in_bundle: bool = True
    connection: int = 0
    service: "ServiceCharge | None" = None
    at: dict[str, "Rate"] = {}

    @property
    def costs(self) -> bool:
        """Return whether anything is to be paid by it."""
        return bool(self.price or self.connection or self.service is not None)

    @property
    def ever_costs(self) -> bool:
        """Return whether anything is to be paid by it in any tariff period."""
        return self.costs or any(other.costs for other in self.at.values())


class ServiceCharge(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the called party of a number for services (084, 087, 09, 118 in the UK) has of a call's price: it is passed on.

    `tenth`: whether the tenth accrues on it as on the rest, which is the access charge.
    """

    rate: Rate
    tenth: bool = True


FREE = Rate(0, 1)


class Bundle(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one sale of a bundle, or of an add-on, covers: `data` octets, `voice` seconds and `sms` messages for `days` days.

    With 0 days it is by the month: until the line's next billing day. Where that is less than a month off, the rest of the
    period is sold for its part of the price and the units (`pro_rata`), else the day of the sale becomes the billing day.
    `zones` are those in which it counts; none: where rates say so (`Rate.in_bundle`). What is left of the services in
    `roll_over` goes on for one more period. `fair_use` is the most octets of it in a zone.
    """

    price: int
    days: int
    data: int = 0
    voice: int = 0
    sms: int = 0
    pro_rata: bool = True
    zones: tuple[str, ...] = ()
    roll_over: tuple[str, ...] = ()
    fair_use: dict[str, int] = {}

    def covers(self, service: str) -> bool:
        """Return whether it covers any units of a service (data, voice, sms)."""
        return bool({"data": self.data, "voice": self.voice, "sms": self.sms}[service])


class CalledRates(msgspec.Struct, frozen=True, omit_defaults=True):
    """What calls and texts to some numbers cost; None: what they cost to any. `name` is for people."""

    voice: Rate | None = None
    sms: Rate | None = None
    name: str = ""

    def of(self, service: str) -> Rate | None:
        """Return the rate of a service; data has none."""
        return self.voice if service == "voice" else self.sms if service == "sms" else None


class Period(msgspec.Struct, frozen=True, omit_defaults=True):
    """A tariff period: on `days` (0 is Monday; HOLIDAY a public one) from a minute of the day, `begins`, to another, `ends`.

    One that ends no later than it begins lasts until the day after; it is the day on which it begins that counts.
    """

    id: str
    days: tuple[int, ...]
    begins: int = 0
    ends: int = 0


HOLIDAY = 7
"""Stands for public holidays among the days of a period."""


class Cap(msgspec.Struct, frozen=True, omit_defaults=True):
    """The most, in micro-units, that a line pays in a day or a month for services, as far as a bundle could cover them."""

    price: int
    services: tuple[str, ...]
    monthly: bool = False


class Zone(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a plan costs in other operators' networks: those whose MCC and MNC begin with one of `networks`."""

    id: str
    networks: tuple[str, ...]
    data: Rate
    voice: Rate
    sms: Rate
    rating_groups: dict[int, Rate] = {}
    incoming_voice: Rate = FREE
    incoming_sms: Rate = FREE
    destinations: dict[str, CalledRates] = {}


LONGEST_NUMBER = 15
"""Digits of the longest number (E.164 §6.2.1)."""
OWN = "own"
"""The destination of calls and texts to another line of ours."""


class Plan(msgspec.Struct, frozen=True, omit_defaults=True):
    """A tariff. A rating group without a rate of its own takes the plan's data rate.

    `incoming_voice` and `incoming_sms` are what the called customer pays. `destinations` are by the first digits of the called
    number in international form, or OWN. With `zones` each network is at `home`, in a zone, or has no price.
    """

    id: str
    name: str
    currency: str
    data: Rate
    voice: Rate
    sms: Rate
    rating_groups: dict[int, Rate] = {}
    bundle: Bundle | None = None
    incoming_voice: Rate = FREE
    incoming_sms: Rate = FREE
    destinations: dict[str, CalledRates] = {}
    home: tuple[str, ...] = ()
    zones: tuple[Zone, ...] = ()
    add_ons: dict[str, Bundle] = {}
    periods: tuple[Period, ...] = ()
    """The tariff periods, of which the first that fits counts."""
    holidays: str = ""
    """Whose public holidays count (ISO 3166, with a subdivision: GB-ENG); empty: nobody's."""
    caps: tuple[Cap, ...] = ()
    """Those of a day before those of a month, which count what is left by them."""
    tax: PlanTax | None = None
    """How its prices stand to tax; None where nobody has said."""
    kept_until: int = 0
    """Lines that subscribed under the version before keep that until this time (microseconds); 0: they have this one now."""
    version: int | None = None
    """Its number among the versions of the store, None where it is of none: a file does not say."""

    def prices(self, network: str) -> "Plan | Zone | None":
        """Return the prices in a network (MCC and MNC, empty where nobody said): these, or a zone's; None where it has none."""
        if not self.zones or not network:
            return self
        place = _place(network, (self.home, *[zone.networks for zone in self.zones]))
        return None if place is None else self.zones[place - 1] if place else self

    def rate(self, service: str, rating_group: int | None, *, incoming: bool = False) -> Rate:
        """Return the rate at home of a service (data, voice, sms) and, for data, of its rating group."""
        return rate_of(self, service, rating_group, incoming=incoming)


@lru_cache(4096)
def _place(network: str, places: tuple[tuple[str, ...], ...]) -> int | None:
    """Say which of some places a network is in, by the longest of their first digits; None where it is in none."""
    fitting = [
        (len(first), -place) for place, networks in enumerate(places) for first in networks if network.startswith(first)
    ]
    return -max(fitting)[1] if fitting else None


def rate_of(
    prices: Plan | Zone, service: str, rating_group: int | None, *, incoming: bool = False, destination: str = ""
) -> Rate:
    """Return the rate of a service (data, voice, sms): of its rating group, direction, or called destination."""
    if service == "data":
        return prices.data if rating_group is None else prices.rating_groups.get(rating_group, prices.data)
    if incoming:
        return prices.incoming_voice if service == "voice" else prices.incoming_sms
    called = prices.destinations.get(destination)
    found = None if called is None else called.of(service)
    return found or (prices.voice if service == "voice" else prices.sms)


def destination_of(prices: Plan | Zone, service: str, number: str, *, own: bool) -> str:
    """Name the destination of a number (E.164 digits) among those with a price for a service.

    OWN where the number is a line of ours (`own`), else the longest first digits that fit; empty for any other.
    """
    destinations = prices.destinations
    if not destinations:
        return ""
    if own:
        found = destinations.get(OWN)
        if found is not None and found.of(service) is not None:
            return OWN
    for length in range(min(len(number), LONGEST_NUMBER), 0, -1):
        found = destinations.get(number[:length])
        if found is not None and found.of(service) is not None:
            return number[:length]
    return ""


def caps_of(plan: Plan, rate: Rate, service: str) -> list[Cap]:
    """Find the caps that count a rate: what a third party has a part of, or no bundle could cover, is under none."""
    if not plan.caps or not rate.in_bundle or rate.service is not None:
        return []
    return [cap for cap in plan.caps if service in cap.services]
