"""Which of a plan's rates a usage was priced by: kept with the usage instead of the number that was called.

A key and the plan, as it was, give the rate again, so that whoever checks a price needs neither number nor calendar.
"""

import msgspec

from gateway.rating.plans import FREE, Plan, Rate, Zone, rate_of

INCOMING, TOLL_FREE, EMERGENCY = "in", "free", "sos"
"""Kinds of traffic with rules of their own; all other is what the customer began."""


class RateKey(msgspec.Struct, frozen=True, gc=False):
    """What decides between the rates of a plan: each part is empty where it makes no difference.

    `traffic` is INCOMING, TOLL_FREE or EMERGENCY; `zone` the id of a roaming zone; `destination` the first digits of the called
    number that have a price, or `own`; `period` the id of a tariff period.
    """

    traffic: str = ""
    zone: str = ""
    destination: str = ""
    period: str = ""

    def __str__(self) -> str:
        """Write it as the store has it: four parts with slashes between, nothing where all are empty."""
        if not (self.traffic or self.zone or self.destination or self.period):
            return ""
        return f"{self.traffic}/{self.zone}/{self.destination}/{self.period}"


PLAIN = RateKey()
"""The plan's own rate at home."""


def read_key(text: str) -> RateKey:
    """Read a key as the store has it. ValueError: it is none."""
    if not text:
        return PLAIN
    parts = text.split("/")
    if len(parts) != len(RateKey.__struct_fields__):
        message = f"no key of a rate: {text}"
        raise ValueError(message)
    return RateKey(*parts)


def rate_by(plan: Plan, service: str, rating_group: int | None, key: RateKey) -> Rate | None:
    """Return the rate that a key stands for; None where the plan has no such zone, destination or period."""
    prices: Plan | Zone | None = plan
    if key.zone:
        prices = next((zone for zone in plan.zones if zone.id == key.zone), None)
    if prices is None or (key.destination and key.destination not in prices.destinations):
        return None
    rate = base_rate(prices, service, rating_group, key.traffic, key.destination)
    return rate.at.get(key.period) if key.period else rate


def base_rate(
    prices: Plan | Zone, service: str, rating_group: int | None, traffic: str = "", destination: str = ""
) -> Rate:
    """Return the rate outside all tariff periods; what is free to call in a country is so from there, not from abroad."""
    if traffic == EMERGENCY or (traffic == TOLL_FREE and isinstance(prices, Plan)):
        return FREE
    return rate_of(prices, service, rating_group, incoming=traffic == INCOMING, destination=destination)
