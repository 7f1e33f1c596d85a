"""Read plans.yaml: prices in major units become integer micro-units, exactly."""

from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator

from gateway.rating.plans import Bundle, Plan, Rate
from gateway.settings.sections import MAX_SLICE, Section
from gateway.settings.values import Currency, Id, Text

MICRO: Final = 1_000_000
MAX_PRICE: Final = 1_000_000
"""Major units: no plan costs a million."""

_WANTED: Final = 'must be an amount in major units, like 0.01 or "7.50"'


def parse_price(value: object) -> int:
    """Turn an amount in major units (`7.50`, `"7.50"`, `3`) into micro-units; nothing is rounded."""
    if isinstance(value, str) and value.replace(".", "", 1).isdecimal() and value.isascii() and len(value) < 40:
        value = Decimal(value)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError(_WANTED)  # noqa: TRY004  (pydantic reports ValueError only)
    micro = Fraction(value) * MICRO
    if micro.denominator != 1:
        message = "has more than 6 decimal places, which can't be held exactly"
        raise ValueError(message)
    if not 0 <= micro <= MAX_PRICE * MICRO:
        message = f"must be between 0 and {MAX_PRICE}"
        raise ValueError(message)
    return micro.numerator


Price = Annotated[int, PlainValidator(parse_price)]
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
    """What a plan sells ahead for a number of days."""

    price: Price
    days: Annotated[int, Field(ge=1, le=366)]
    data: Amount = 0
    voice: Amount = 0
    sms: Amount = 0


def _rating_group(value: str) -> str:
    if not value.isascii() or not value.isdecimal() or str(int(value[:12])) != value or int(value) > 0xFFFFFFFF:
        message = "a rating group is a whole number from 0 to 4294967295"
        raise ValueError(message)
    return value


def _free(value: object) -> object:
    return {"price": 0, "per": 1} if value == "free" else value


RatingGroup = Annotated[str, AfterValidator(_rating_group)]


class PlanEntry(Section):
    """One plan of plans.yaml, under its id."""

    name: Text
    currency: Currency
    data: RateEntry
    voice: RateEntry
    sms: RateEntry
    rating_groups: dict[RatingGroup, Annotated[RateEntry, BeforeValidator(_free)]] = Field(default_factory=dict)
    bundle: BundleEntry | None = None

    def plan(self, plan_id: str) -> Plan:
        """Return the plan that rating works with."""
        bundle = self.bundle
        return Plan(
            id=plan_id,
            name=self.name,
            currency=self.currency,
            data=self.data.rate(),
            voice=self.voice.rate(),
            sms=self.sms.rate(),
            rating_groups={int(group): entry.rate() for group, entry in self.rating_groups.items()},
            bundle=None if bundle is None else Bundle(bundle.price, bundle.days, bundle.data, bundle.voice, bundle.sms),
        )


PLANS_FILE: Final = dict[Id, PlanEntry]
"""The shape of plans.yaml: each plan under its id."""


def plans_from(entries: dict[str, PlanEntry]) -> dict[str, Plan]:
    """Turn validated entries into plans by id."""
    return {plan_id: entry.plan(plan_id) for plan_id, entry in entries.items()}
