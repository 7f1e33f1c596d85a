"""A price as plans.yaml and rate decks write it: how much for how many, from when on, and what is added."""

import re
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, model_validator

from gateway.rating.plans import Rate, ServiceCharge
from gateway.settings.sections.section import MAX_SLICE, Section
from gateway.settings.values import Price

Amount = Annotated[int, Field(ge=0, le=MAX_SLICE)]
_INCREMENTS: Final = re.compile(r"([1-9][0-9]{0,5})/([1-9][0-9]{0,5})", re.ASCII)


def parse_increments(value: str) -> tuple[int, int]:
    """Turn `60/1`, the first increment and the next ones, into minimum and step. ValueError says what is wrong."""
    match = _INCREMENTS.fullmatch(value)
    first, further = (int(match[1]), int(match[2])) if match else (0, 1)
    if not match or first % further:
        message = (
            "must be the first increment and the next ones, like 60/1 or 30/30, the first a multiple of the others"
        )
        raise ValueError(message)
    return first, further


def _free(value: object) -> object:
    return {"price": 0, "per": 1} if value == "free" else value


class BareRateEntry(Section):
    """`{price: 0.01, per: 1000000}`: the price of `per` octets, seconds or texts, how it is counted, and the connection fee."""

    price: Price
    per: Annotated[int, Field(ge=1, le=MAX_SLICE)]
    step: Annotated[int, Field(ge=1, le=MAX_SLICE)] = 1
    minimum: Amount = 0
    increments: str | None = None
    connection: Price = 0

    @model_validator(mode="after")
    def _counts_one_way(self) -> "BareRateEntry":
        if self.increments is not None:
            if {"step", "minimum"} & self.model_fields_set:
                message = "increments says what step and minimum say: give one of them"
                raise ValueError(message)
            parse_increments(self.increments)
        return self

    @property
    def counting(self) -> tuple[int, int]:
        """Minimum and step."""
        return (self.minimum, self.step) if self.increments is None else parse_increments(self.increments)


class ServiceChargeEntry(BareRateEntry):
    """What the called party has of a call's price; `tenth: false` where the tenth does not accrue on it."""

    tenth: bool = True

    def charge(self) -> ServiceCharge:
        """Return the service charge that rating works with."""
        minimum, step = self.counting
        return ServiceCharge(Rate(self.price, self.per, step, minimum, connection=self.connection), self.tenth)


class RateEntry(BareRateEntry):
    """A rate; `service` is charged on top of it for the called party, and in the tariff periods of `at` it is another."""

    service: ServiceChargeEntry | None = None
    at: "dict[str, OrFree]" = Field(default_factory=dict)

    @model_validator(mode="after")
    def _is_one_level(self) -> "RateEntry":
        if any(other.at for other in self.at.values()):
            message = "at: the rate of a period has no periods of its own"
            raise ValueError(message)
        return self

    def rate(self, *, in_bundle: bool = True) -> Rate:
        """Return the rate that rating works with; `in_bundle`: a bundle covers it, and a cap counts it."""
        minimum, step = self.counting
        return Rate(
            price=self.price,
            per=self.per,
            step=step,
            minimum=minimum,
            in_bundle=in_bundle,
            connection=self.connection,
            service=None if self.service is None else self.service.charge(),
            at={period: other.rate(in_bundle=in_bundle) for period, other in self.at.items()},
        )


OrFree = Annotated[RateEntry, BeforeValidator(_free)]
"""A rate, or the word `free`."""
RateEntry.model_rebuild()
FREE_ENTRY: Final = RateEntry(price=0, per=1)
