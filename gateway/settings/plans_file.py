"""Read plans.yaml: prices in major units become integer micro-units, exactly."""

import re
from collections.abc import Iterator
from itertools import combinations
from typing import Annotated, Final, Literal, get_args

import msgspec
from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, model_validator

from gateway.rating.calendars import DAY_MINUTES, public_holidays
from gateway.rating.plan_taxes import STANDARD, PlanTax, Treatment
from gateway.rating.plans import OWN, Bundle, CalledRates, Cap, Period, Plan, Rate, Zone
from gateway.settings.problems import did_you_mean
from gateway.settings.rate_deck import parse_deck
from gateway.settings.rate_entries import FREE_ENTRY, Amount, OrFree, RateEntry
from gateway.settings.sections.section import Section
from gateway.settings.values import Country, Currency, Id, Price, Text, check_prefix, parse_moment


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

    @model_validator(mode="after")
    def _says_nothing_without_effect(self) -> "BundleEntry":
        if "pro_rata" in self.model_fields_set and self.period is None:
            message = "pro_rata is for period: month; one of days lasts its days from the sale on"
            raise ValueError(message)
        if absent := [service for service in self.roll_over if not getattr(self, service)]:
            message = f"roll_over: {absent[0]} is not in it, so that nothing of it can be left"
            raise ValueError(message)
        if len(set(self.roll_over)) < len(self.roll_over):
            message = "roll_over: names a service twice"
            raise ValueError(message)
        if self.fair_use and not self.data:
            message = "fair_use is of data, which is not in it"
            raise ValueError(message)
        if outside := [zone for zone in self.fair_use if self.zones and zone not in self.zones]:
            message = f"fair_use: {outside[0]} is none of its zones: it counts in {', '.join(self.zones)} alone"
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


class AddOnEntry(BundleEntry):
    """What may be bought beside the bundle."""

    @model_validator(mode="after")
    def _does_not_go_on(self) -> "AddOnEntry":
        if self.roll_over:
            message = "roll_over is for the bundle: what is left of an add-on ends with it"
            raise ValueError(message)
        return self


class IncomingEntry(Section):
    """What the called customer pays for calls and texts that come in; nothing unless it is set."""

    voice: OrFree = FREE_ENTRY
    sms: OrFree = FREE_ENTRY


class CalledEntry(Section):
    """What calls and texts to some numbers cost; a bundle covers them only where that is said."""

    voice: OrFree | None = None
    sms: OrFree | None = None
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
    return None if entry is None else entry.rate(in_bundle=bundle)


def _destination(value: str) -> str:
    return value if value == OWN else check_prefix(value)


def _network(value: str) -> str:
    if value != ANY_NETWORK and not (value.isascii() and value.isdecimal() and 3 <= len(value) <= 6):
        message = "must be an MCC, an MCC and MNC, like 208 or 23415, or * for every other one"
        raise ValueError(message)
    return value


ANY_NETWORK: Final = "*"
Deck = Annotated[dict[str, CalledRates], PlainValidator(parse_deck)]


def _each_number_once(value: object) -> object:
    """Refuse first digits that are given with and without a plus sign: which price counts would be anybody's guess."""
    numbers = set(value) if isinstance(value, dict) else set()
    for number in sorted(filter(lambda each: isinstance(each, str), numbers)):
        if number.startswith("+") and number.removeprefix("+") in numbers:
            message = f"{number} is given twice, with and without its plus sign"
            raise ValueError(message)
    return value


Called = Annotated[str, AfterValidator(_destination)]
Destinations = Annotated[dict[Called, CalledEntry], BeforeValidator(_each_number_once)]
Network = Annotated[str, AfterValidator(_network)]


def _rating_group(value: str) -> str:
    if not value.isascii() or not value.isdecimal() or str(int(value[:12])) != value or int(value) > 0xFFFFFFFF:
        message = "a rating group is a whole number from 0 to 4294967295"
        raise ValueError(message)
    return value


RatingGroup = Annotated[str, AfterValidator(_rating_group)]


Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun", "holiday"]
DAYS: Final = get_args(Day)
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-4]):([0-5][0-9])", re.ASCII)


def _minute(value: object) -> int:
    match = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    found = DAY_MINUTES + 1 if match is None else int(match[1]) * 60 + int(match[2])
    if found > DAY_MINUTES:
        message = "must be a time of day, like 07:00 or 24:00"
        raise ValueError(message)
    return found


TimeOfDay = Annotated[int, PlainValidator(_minute)]


class PeriodEntry(Section):
    """A tariff period: which days, and from when to when by the operator's clocks; all day unless that is said."""

    days: Annotated[list[Day], Field(min_length=1)] = Field(default=["mon", "tue", "wed", "thu", "fri", "sat", "sun"])
    begins: TimeOfDay = 0
    ends: TimeOfDay = DAY_MINUTES

    @model_validator(mode="after")
    def _lasts(self) -> "PeriodEntry":
        if self.begins == DAY_MINUTES or self.ends == 0:
            message = "begins before 24:00 and ends after 00:00; one that ends no later than it begins lasts until the next day"
            raise ValueError(message)
        return self

    def period(self, period_id: str) -> Period:
        """Return the period that rating works with."""
        return Period(period_id, tuple(sorted({DAYS.index(day) for day in self.days})), self.begins, self.ends)


class CapEntry(Section):
    """The most that a line pays in a day, in a month, or both, for some services."""

    services: Annotated[list[Literal["data", "voice", "sms"]], Field(min_length=1)]
    day: Price | None = None
    month: Price | None = None

    @model_validator(mode="after")
    def _caps_something(self) -> "CapEntry":
        if self.day is None and self.month is None:
            message = "caps nothing: give day, month or both"
            raise ValueError(message)
        if 0 in (self.day, self.month):
            message = "0 would make all use free: a cap is more than 0; what costs nothing is priced as free"
            raise ValueError(message)
        if self.day is not None and self.month is not None and self.month < self.day:
            message = "day is more than month, so that no day ever comes to it"
            raise ValueError(message)
        return self

    def caps(self) -> Iterator[Cap]:
        """Return the caps that charging works with."""
        services = tuple(sorted(set(self.services)))
        if self.day is not None:
            yield Cap(self.day, services)
        if self.month is not None:
            yield Cap(self.month, services, monthly=True)


def _named(cap: Cap) -> str:
    return f"the {'month' if cap.monthly else 'day'} of {', '.join(cap.services)}"


def _place(value: str) -> str:
    try:
        public_holidays(value, 2026)
    except LookupError as error:
        message = f"{error}: give a country of ISO 3166, or a part of one, like GB or GB-ENG"
        raise ValueError(message) from None
    return value


class ZoneEntry(Section):
    """What a plan costs in some networks abroad; its bundle covers that, and its caps count it, only where it is said."""

    networks: Annotated[list[Network], Field(min_length=1)]
    data: RateEntry
    voice: RateEntry
    sms: RateEntry
    rating_groups: dict[RatingGroup, OrFree] = Field(default_factory=dict)
    incoming: IncomingEntry = IncomingEntry()
    destinations: Destinations = Field(default_factory=dict)
    deck: Deck = Field(default_factory=dict)
    bundle: bool = False

    def zone(self, zone_id: str) -> Zone:
        """Return the zone that rating works with."""

        def rate(entry: RateEntry) -> Rate:
            return entry.rate(in_bundle=self.bundle)

        return Zone(
            id=zone_id,
            networks=_prefixes(self.networks),
            data=rate(self.data),
            voice=rate(self.voice),
            sms=rate(self.sms),
            rating_groups={int(group): rate(entry) for group, entry in self.rating_groups.items()},
            incoming_voice=rate(self.incoming.voice),
            incoming_sms=rate(self.incoming.sms),
            destinations={**self.deck, **{number: entry.rates() for number, entry in self.destinations.items()}},
        )


def _prefixes(networks: list[str]) -> tuple[str, ...]:
    return tuple("" if network == ANY_NETWORK else network for network in networks)


class RoamingEntry(Section):
    """Which networks are at home, with the plan's own prices, and the zones of the others; one in neither has no price."""

    home: Annotated[list[Network], Field(min_length=1)]
    zones: Annotated[dict[Id, ZoneEntry], Field(min_length=1)]

    @model_validator(mode="after")
    def _each_network_once(self) -> "RoamingEntry":
        if HOME in self.zones:
            message = f"zones.{HOME}: that is how the networks at home are named: give the zone another name"
            raise ValueError(message)
        seen: set[str] = set()
        for network in [*self.home, *(network for zone in self.zones.values() for network in zone.networks)]:
            if network in seen:
                message = f"{network} is given twice: a network is at home or in one zone"
                raise ValueError(message)
            seen.add(network)
        return self


class TaxEntry(Section):
    """Whose tax the plan's prices include, or whose is added to them."""

    inclusive: Country | None = None
    exclusive: Country | None = None
    kind: Id = STANDARD

    @model_validator(mode="after")
    def _one_of_both(self) -> "TaxEntry":
        if (self.inclusive is None) == (self.exclusive is None):
            message = "give inclusive or exclusive, with the country whose tax it is"
            raise ValueError(message)
        return self

    def tax(self) -> PlanTax:
        """Return what rating works with."""
        if self.inclusive is not None:
            return PlanTax(Treatment.INCLUSIVE, self.inclusive, self.kind)
        return PlanTax(Treatment.EXCLUSIVE, self.exclusive or "", self.kind)


FOR_GOOD: Final = 1 << 62
"""The time (microseconds) until which a version is kept that is kept for good."""


def _kept_until(value: object) -> int:
    return FOR_GOOD if value is True else 0 if value is False else parse_moment(value)


class PlanEntry(Section):
    """One plan of plans.yaml, under its id."""

    name: Text
    currency: Currency
    data: RateEntry
    voice: RateEntry
    sms: RateEntry
    rating_groups: dict[RatingGroup, OrFree] = Field(default_factory=dict)
    bundle: BundleEntry | None = None
    incoming: IncomingEntry = IncomingEntry()
    destinations: Destinations = Field(default_factory=dict)
    deck: Deck = Field(default_factory=dict)
    roaming: RoamingEntry | None = None
    add_ons: dict[Id, AddOnEntry] = Field(default_factory=dict)
    tax: TaxEntry | None = None
    grandfathered: Annotated[int, PlainValidator(_kept_until)] = 0

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

    periods: dict[Id, PeriodEntry] = Field(default_factory=dict)
    holidays: Annotated[str, AfterValidator(_place)] = ""
    caps: list[CapEntry] = Field(default_factory=list)

    @model_validator(mode="after")
    def _periods_are_known(self) -> "PlanEntry":
        for where, entry in self._rates():
            for period in entry.at:
                if period not in self.periods:
                    message = f"{where}.at: there is no period {period}{did_you_mean(period, self.periods)}"
                    raise ValueError(message)
        for name, entry_of in self.periods.items():
            if "holiday" in entry_of.days and not self.holidays:
                message = f"periods.{name}: has holidays, but holidays does not say whose"
                raise ValueError(message)
        if self.holidays and not any("holiday" in entry.days for entry in self.periods.values()):
            message = "holidays: none of periods has holiday among its days, so that they would change nothing"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _services_are_called(self) -> "PlanEntry":
        for where, entry in self._rates():
            has_service = entry.service is not None or any(other.service is not None for other in entry.at.values())
            if has_service and not ("destinations." in where and where.endswith(".voice")):
                message = f"{where}.service: a service charge is for calls to destinations"
                raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _caps_are_told_apart(self) -> "PlanEntry":
        seen: set[Cap] = set()
        for cap in (cap for entry in self.caps for cap in entry.caps()):
            if (same := msgspec.structs.replace(cap, price=0)) in seen:
                message = f"caps: {', '.join(cap.services)} has two for a {'month' if cap.monthly else 'day'}"
                raise ValueError(message)
            seen.add(same)
        for first, then in combinations(self.ordered_caps(), 2):
            mine, others = set(first.services), set(then.services)
            if mine & others and not mine <= others:
                message = (
                    f"caps: {_named(then)} counts a part of what {_named(first)} counts, so that what is paid would depend on "
                    "what is used first: have it count all of these services, or none"
                )
                raise ValueError(message)
        return self

    def ordered_caps(self) -> tuple[Cap, ...]:
        """Return the caps in the order in which they count: those of a day first, and of these those of fewer services."""
        caps = (cap for entry in self.caps for cap in entry.caps())
        return tuple(sorted(caps, key=lambda cap: (cap.monthly, len(cap.services))))

    def _rates(self) -> Iterator[tuple[str, RateEntry]]:
        """Return each rate that is written in the plan, and where."""
        zones = {} if self.roaming is None else self.roaming.zones
        yield from _rates_in("", self)
        for name, zone in zones.items():
            yield from _rates_in(f"roaming.zones.{name}.", zone)

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
            destinations={**self.deck, **{number: entry.rates() for number, entry in self.destinations.items()}},
            home=() if roaming is None else _prefixes(roaming.home),
            zones=() if roaming is None else tuple(entry.zone(name) for name, entry in roaming.zones.items()),
            add_ons={name: entry.bundle() for name, entry in self.add_ons.items()},
            periods=tuple(entry.period(name) for name, entry in self.periods.items()),
            holidays=self.holidays,
            caps=self.ordered_caps(),
            tax=None if self.tax is None else self.tax.tax(),
            kept_until=self.grandfathered,
        )


def _rates_in(where: str, entry: PlanEntry | ZoneEntry) -> Iterator[tuple[str, RateEntry]]:
    yield from ((f"{where}{name}", getattr(entry, name)) for name in ("data", "voice", "sms"))
    yield from ((f"{where}rating_groups.{name}", rate) for name, rate in entry.rating_groups.items())
    yield from ((f"{where}incoming.{name}", getattr(entry.incoming, name)) for name in ("voice", "sms"))
    for number, called in entry.destinations.items():
        for name in ("voice", "sms"):
            rate: RateEntry | None = getattr(called, name)
            if rate is not None:
                yield f"{where}destinations.{number}.{name}", rate


PLANS_FILE: Final = dict[Id, PlanEntry]
"""The shape of plans.yaml: each plan under its id."""


def plans_from(entries: dict[str, PlanEntry]) -> dict[str, Plan]:
    """Turn validated entries into plans by id."""
    return {plan_id: entry.plan(plan_id) for plan_id, entry in entries.items()}
