"""Which of a plan's rates priced a use: kept beside the usage, in place of the number that was called and the network.

With the plan as it was then, a key gives the rate again, for whoever recomputes a price.
"""

import msgspec

from gateway.rating.plans import FREE, Plan, Rate, Zone, rate_of

INCOMING, TOLL_FREE, EMERGENCY = "in", "free", "sos"
"""Traffic that is priced by a rule of its own; any other is what the customer began."""


class RateKey(msgspec.Struct, frozen=True, gc=False):
    """What chooses among a plan's rates; a part is empty where it makes no difference.

    `traffic` is INCOMING, TOLL_FREE or EMERGENCY; `zone` is a roaming zone's id; `destination` the first digits of the called
    number that have a price, or `own`; `period` a tariff period's id.
    """

    traffic: str = ""
    zone: str = ""
    destination: str = ""
    period: str = ""

    def __str__(self) -> str:
        """Write it as the store keeps it: its parts with slashes between; nothing where all are empty."""
        parts = (self.traffic, self.zone, self.destination, self.period)
        return "/".join(parts) if any(parts) else ""


PLAIN = RateKey()
"""The plan's own rate at home."""


def read_key(text: str) -> RateKey:
    """Read a key as the store keeps it. ValueError: it is none."""
    parts = text.split("/") if text else ["", "", "", ""]
    if len(parts) != len(RateKey.__struct_fields__):
        message = f"no key of a rate: {text}"
        raise ValueError(message)
    return RateKey(*parts)


def rate_by(plan: Plan, service: str, rating_group: int | None, key: RateKey) -> Rate | None:
    """Give the rate that a key chooses; None where the plan has no such zone or destination."""
    prices: Plan | Zone | None = plan
    if key.zone:
        prices = next((zone for zone in plan.zones if zone.id == key.zone), None)
    if prices is None or key.period or (key.destination and key.destination not in prices.destinations):
        return None
    return base_rate(prices, service, rating_group, key.traffic, key.destination)


def base_rate(
    prices: Plan | Zone, service: str, rating_group: int | None, traffic: str = "", destination: str = ""
) -> Rate:
    """Give the rate among some prices; what is free to call in a country is so from there, not from abroad."""
    if traffic == EMERGENCY or (traffic == TOLL_FREE and isinstance(prices, Plan)):
        return FREE
    return rate_of(prices, service, rating_group, incoming=traffic == INCOMING, destination=destination)
