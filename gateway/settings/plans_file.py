"""Read plans.yaml: prices in major units become integer micro-units, exactly."""

from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from gateway.rating.plans import Bundle, Plan, Rate
from gateway.settings.sections import MAX_SLICE, Section
from gateway.settings.values import Currency, Id, Price, Text

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

    @model_validator(mode="after")
    def _covers_something(self) -> "BundleEntry":
        if not (self.data or self.voice or self.sms):
            message = "covers nothing: give data, voice or sms"
            raise ValueError(message)
        return self


def _free(value: object) -> object:
    return {"price": 0, "per": 1} if value == "free" else value


FREE_ENTRY: Final = RateEntry(price=0, per=1)


class IncomingEntry(Section):
    """What the called customer pays for calls and texts that come in; nothing unless it is set."""

    voice: Annotated[RateEntry, BeforeValidator(_free)] = FREE_ENTRY
    sms: Annotated[RateEntry, BeforeValidator(_free)] = FREE_ENTRY


def _rating_group(value: str) -> str:
    if not value.isascii() or not value.isdecimal() or str(int(value[:12])) != value or int(value) > 0xFFFFFFFF:
        message = "a rating group is a whole number from 0 to 4294967295"
        raise ValueError(message)
    return value


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
    incoming: IncomingEntry = IncomingEntry()

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
            incoming_voice=self.incoming.voice.rate(),
            incoming_sms=self.incoming.sms.rate(),
        )


PLANS_FILE: Final = dict[Id, PlanEntry]
"""The shape of plans.yaml: each plan under its id."""


def plans_from(entries: dict[str, PlanEntry]) -> dict[str, Plan]:
    """Turn validated entries into plans by id."""
    return {plan_id: entry.plan(plan_id) for plan_id, entry in entries.items()}
