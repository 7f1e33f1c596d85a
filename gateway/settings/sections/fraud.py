"""The section `fraud`: what use of a line is suspicious, and which numbers cost a third party's price."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from gateway.settings.sections.section import Section
from gateway.settings.values import Id, NumberPrefix, Price

FraudKind = Literal["spend", "premium", "countries", "topups"]


class FraudLimits(Section):
    """What use of a line is suspicious; what is left out is not looked at. `bar`: which of these bar the line at once."""

    spend: Price | None = None
    premium: Price | None = None
    countries: Annotated[int, Field(ge=2, le=100)] | None = None
    topups: Annotated[int, Field(ge=2, le=1000)] | None = None
    bar: list[FraudKind] = Field(default_factory=list)

    @model_validator(mode="after")
    def _bars_what_is_looked_at(self) -> "FraudLimits":
        for kind in self.bar:
            if getattr(self, kind) is None:
                message = f"bar names {kind}, which has no limit here"
                raise ValueError(message)
        if 0 in (self.spend, self.premium):
            message = "spend and premium must be more than 0; leave out what is not to be looked at"
            raise ValueError(message)
        return self


class Fraud(Section):
    """Fraud limits, by plan where a plan has its own, and the numbers that cost a third party's price."""

    limits: FraudLimits = FraudLimits()
    plans: dict[Id, FraudLimits] = Field(default_factory=dict)
    destinations: list[NumberPrefix] = Field(default_factory=list)
