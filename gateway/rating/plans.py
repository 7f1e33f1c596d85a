"""What a customer may buy: the prices of a plan, in micro-units, as config/plans.yaml gives them."""

import msgspec


class Rate(msgspec.Struct, frozen=True):
    """A price a quantity: `price` micro-units for `per` units (octets, seconds or messages).

    Usage counts in whole `step`s, and as `minimum` units at least once there is any.
    """

    price: int
    per: int
    step: int = 1
    minimum: int = 0


FREE = Rate(0, 1)


class Bundle(msgspec.Struct, frozen=True):
    """What one sale of a bundle plan covers: `data` octets, `voice` seconds and `sms` messages for `days` days."""

    price: int
    days: int
    data: int = 0
    voice: int = 0
    sms: int = 0

    def covers(self, service: str) -> bool:
        """Tell whether it covers any units of a service (data, voice, sms)."""
        return bool({"data": self.data, "voice": self.voice, "sms": self.sms}[service])


class Plan(msgspec.Struct, frozen=True):
    """A tariff. A rating group without a rate of its own takes the plan's data rate.

    `incoming_voice` and `incoming_sms` are what the called customer pays.
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

    def rate(self, service: str, rating_group: int | None, *, incoming: bool = False) -> Rate:
        """Give the rate of a service (data, voice, sms) and, for data, of its rating group."""
        if service == "voice":
            return self.incoming_voice if incoming else self.voice
        if service == "sms":
            return self.incoming_sms if incoming else self.sms
        return self.rating_groups.get(rating_group, self.data) if rating_group is not None else self.data
