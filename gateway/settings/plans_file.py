"""Read plans.yaml: prices in major units become integer micro-units, exactly."""

from typing import Annotated, Final, Literal

import msgspec
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from gateway.rating.plans import OWN, Bundle, CalledRates, Plan, Rate, Zone
from gateway.settings.sections import MAX_SLICE, Section
from gateway.settings.values import Currency, Id, Price, Text, check_prefix

Amount = Annotated[int, Field(ge=0, le=MAX_SLICE)]


class RateEntry(Section):
    """`{price: 0.01, per: 1000000}`: the price of `per` octets, seconds or texts."""

    price: Price
    per: Annotated[int, Field(ge=1, le=MAX_SLICE)]
    step: Annotated[int, Field(ge=1, le=MAX_SLICE)] = 1
    minimum: Amount = 0

    def rate(self) -> Rate:
        """Return the rate that rating works with."""
        return Rate(price=self.price, per=self.per, step=self.step, minimum=self.minimum)


class BundleEntry(Section):
    """What a plan sells ahead: for a number of days, or by the month."""

    price: Price
    days: Annotated[int, Field(ge=1, le=366)] | None = None
    period: Literal["month"] | None = None
    pro_rata: bool = True
    data: Amount = 0
    voice: Amount = 0
    sms: Amount = 0
    zones: list[Id] = Field(default_factory=list)
    roll_over: list[Literal["data", "voice", "sms"]] = Field(default_factory=list)
    fair_use: dict[Id, Amount] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _covers_something(self) -> "BundleEntry":
        if not (self.data or self.voice or self.sms):
            message = "covers nothing: give data, voice or sms"
            raise ValueError(message)
        if (self.days is None) == (self.period is None):
            message = "lasts how long? give days, or period: month"
            raise ValueError(message)
        return self

    def bundle(self) -> Bundle:
        """Return the bundle that balance works with."""
        return Bundle(
            self.price,
            self.days or 0,
            self.data,
            self.voice,
            self.sms,
            pro_rata=self.pro_rata,
            zones=tuple(map(_zone, self.zones)),
            roll_over=tuple(self.roll_over),
            fair_use={_zone(zone): octets for zone, octets in self.fair_use.items()},
        )


HOME: Final = "home"
"""How an allowance names the networks at home among the zones in which it counts."""


def _zone(name: str) -> str:
    return "" if name == HOME else name


def _free(value: object) -> object:
    return {"price": 0, "per": 1} if value == "free" else value


FREE_ENTRY: Final = RateEntry(price=0, per=1)


class IncomingEntry(Section):
    """What the called customer pays for calls and texts that come in; nothing unless it is set."""

    voice: Annotated[RateEntry, BeforeValidator(_free)] = FREE_ENTRY
    sms: Annotated[RateEntry, BeforeValidator(_free)] = FREE_ENTRY


class CalledEntry(Section):
    """What calls and texts to some numbers cost; a bundle covers them only where that is said."""

    voice: Annotated[RateEntry, BeforeValidator(_free)] | None = None
    sms: Annotated[RateEntry, BeforeValidator(_free)] | None = None
    bundle: bool = False

    @model_validator(mode="after")
    def _prices_something(self) -> "CalledEntry":
        if self.voice is None and self.sms is None:
            message = "prices nothing: give voice or sms"
            raise ValueError(message)
        return self

    def rates(self) -> CalledRates:
        """Return the rates that rating works with."""
        return CalledRates(_covered(self.voice, bundle=self.bundle), _covered(self.sms, bundle=self.bundle))


def _covered(entry: RateEntry | None, *, bundle: bool) -> Rate | None:
    return None if entry is None else msgspec.structs.replace(entry.rate(), in_bundle=bundle)


def _destination(value: str) -> str:
    return value if value == OWN else check_prefix(value)


def _network(value: str) -> str:
    if value != ANY_NETWORK and not (value.isascii() and value.isdecimal() and 3 <= len(value) <= 6):
        message = "must be an MCC, an MCC and MNC, like 208 or 23415, or * for every other one"
        raise ValueError(message)
    return value


ANY_NETWORK: Final = "*"
Called = Annotated[str, AfterValidator(_destination)]
Network = Annotated[str, AfterValidator(_network)]


def _rating_group(value: str) -> str:
    if not value.isascii() or not value.isdecimal() or str(int(value[:12])) != value or int(value) > 0xFFFFFFFF:
        message = "a rating group is a whole number from 0 to 4294967295"
        raise ValueError(message)
    return value


RatingGroup = Annotated[str, AfterValidator(_rating_group)]


class ZoneEntry(Section):
    """What a plan costs in some networks abroad; its bundle covers that only where it is said."""

    networks: Annotated[list[Network], Field(min_length=1)]
    data: RateEntry
    voice: RateEntry
    sms: RateEntry
    rating_groups: dict[RatingGroup, Annotated[RateEntry, BeforeValidator(_free)]] = Field(default_factory=dict)
    incoming: IncomingEntry = IncomingEntry()
    destinations: dict[Called, CalledEntry] = Field(default_factory=dict)
    bundle: bool = False

    def zone(self, zone_id: str) -> Zone:
        """Return the zone that rating works with."""

        def rate(entry: RateEntry) -> Rate:
            return msgspec.structs.replace(entry.rate(), in_bundle=self.bundle)

        return Zone(
            id=zone_id,
            networks=_prefixes(self.networks),
            data=rate(self.data),
            voice=rate(self.voice),
            sms=rate(self.sms),
            rating_groups={int(group): rate(entry) for group, entry in self.rating_groups.items()},
            incoming_voice=rate(self.incoming.voice),
            incoming_sms=rate(self.incoming.sms),
            destinations={number: entry.rates() for number, entry in self.destinations.items()},
        )


def _prefixes(networks: list[str]) -> tuple[str, ...]:
    return tuple("" if network == ANY_NETWORK else network for network in networks)


class RoamingEntry(Section):
    """Which networks are at home, with the plan's own prices, and the zones of the others; one in neither has no price."""

    home: Annotated[list[Network], Field(min_length=1)]
    zones: Annotated[dict[Id, ZoneEntry], Field(min_length=1)]

    @model_validator(mode="after")
    def _each_network_once(self) -> "RoamingEntry":
        seen: set[str] = set()
        for network in [*self.home, *(network for zone in self.zones.values() for network in zone.networks)]:
            if network in seen:
                message = f"{network} is given twice: a network is at home or in one zone"
                raise ValueError(message)
            seen.add(network)
        return self


class PlanEntry(Section):
    """One plan of plans.yaml, under its id."""

    name: Text
    currency: Currency
    data: RateEntry
    voice: RateEntry
    sms: RateEntry
    rating_groups: dict[RatingGroup, Annotated[RateEntry, BeforeValidator(_free)]] = Field(default_factory=dict)
    bundle: BundleEntry | None = None
    incoming: IncomingEntry = IncomingEntry()
    destinations: dict[Called, CalledEntry] = Field(default_factory=dict)
    roaming: RoamingEntry | None = None
    add_ons: dict[Id, BundleEntry] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _zones_are_there(self) -> "PlanEntry":
        known = {HOME, *(self.roaming.zones if self.roaming is not None else ())}
        sold = {"bundle": self.bundle, **{f"add_ons.{name}": entry for name, entry in self.add_ons.items()}}
        for name, entry in sold.items():
            for zone in (*entry.zones, *entry.fair_use) if entry is not None else ():
                if zone not in known:
                    message = f"{name}: {zone} is no zone of roaming; there are: {', '.join(sorted(known))}"
                    raise ValueError(message)
        return self

    def plan(self, plan_id: str) -> Plan:
        """Return the plan that rating works with."""
        bundle, roaming = self.bundle, self.roaming
        return Plan(
            id=plan_id,
            name=self.name,
            currency=self.currency,
            data=self.data.rate(),
            voice=self.voice.rate(),
            sms=self.sms.rate(),
            rating_groups={int(group): entry.rate() for group, entry in self.rating_groups.items()},
            bundle=None if bundle is None else bundle.bundle(),
            incoming_voice=self.incoming.voice.rate(),
            incoming_sms=self.incoming.sms.rate(),
            destinations={number: entry.rates() for number, entry in self.destinations.items()},
            home=() if roaming is None else _prefixes(roaming.home),
            zones=() if roaming is None else tuple(entry.zone(name) for name, entry in roaming.zones.items()),
            add_ons={name: entry.bundle() for name, entry in self.add_ons.items()},
        )


PLANS_FILE: Final = dict[Id, PlanEntry]
"""The shape of plans.yaml: each plan under its id."""


def plans_from(entries: dict[str, PlanEntry]) -> dict[str, Plan]:
    """Turn validated entries into plans by id."""
    return {plan_id: entry.plan(plan_id) for plan_id, entry in entries.items()}
