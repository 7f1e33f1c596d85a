"""What a customer may buy: the prices of a plan, in micro-units, as config/plans.yaml gives them.

The store keeps each plan as JSON (rating.plan_history): a field that is added later has a default that means what was meant
before it was there, and is left out where it has that.
"""

import msgspec


class Rate(msgspec.Struct, frozen=True, omit_defaults=True):
    """A price a quantity: `price` micro-units for `per` units (octets, seconds or messages).

    Usage counts in whole `step`s, and as `minimum` units at least once there is any. `in_bundle`: a bundle covers it.
    """

    price: int
    per: int
    step: int = 1
    minimum: int = 0
    in_bundle: bool = True


FREE = Rate(0, 1)


class Bundle(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one sale of a bundle plan covers: `data` octets, `voice` seconds and `sms` messages for `days` days."""

    price: int
    days: int
    data: int = 0
    voice: int = 0
    sms: int = 0

    def covers(self, service: str) -> bool:
        """Tell whether it covers any units of a service (data, voice, sms)."""
        return bool({"data": self.data, "voice": self.voice, "sms": self.sms}[service])


class CalledRates(msgspec.Struct, frozen=True, omit_defaults=True):
    """What calls and texts to some numbers cost; None: what they cost to any."""

    voice: Rate | None = None
    sms: Rate | None = None

    def of(self, service: str) -> Rate | None:
        """Give the rate of a service; data has none."""
        return {"voice": self.voice, "sms": self.sms}.get(service)


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
    version: int | None = None
    """Its number among the versions of the store, None where it is of none: a file does not say."""

    def prices(self, network: str) -> "Plan | Zone | None":
        """Give the prices in a network (MCC and MNC, empty where nobody said): these, or a zone's; None where it has none."""
        if not self.zones or not network:
            return self
        places: list[tuple[tuple[str, ...], Plan | Zone]] = [(self.home, self), *((z.networks, z) for z in self.zones)]
        fitting = [
            (len(first), prices) for networks, prices in places for first in networks if network.startswith(first)
        ]
        return max(fitting, key=lambda found: found[0], default=(0, None))[1]

    def rate(self, service: str, rating_group: int | None, *, incoming: bool = False) -> Rate:
        """Give the rate at home of a service (data, voice, sms) and, for data, of its rating group."""
        return rate_of(self, service, rating_group, incoming=incoming)


def rate_of(
    prices: Plan | Zone, service: str, rating_group: int | None, *, incoming: bool = False, destination: str = ""
) -> Rate:
    """Give the rate of a service (data, voice, sms): of its rating group, its direction, or the destination that is called."""
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
    fitting = [
        first
        for first, rates in prices.destinations.items()
        if rates.of(service) is not None and (own if first == OWN else number.startswith(first))
    ]
    return OWN if OWN in fitting else max(fitting, key=len, default="")
