"""What use of a line is suspicious, and whether it bars the line: by plan, as the settings have it."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec

NEVER: Final = (1 << 62) - 1


class FraudKind(StrEnum):
    """What a fraud limit measures."""

    SPEND = "spend"
    """Micro-units charged within an hour."""
    PREMIUM = "premium"
    """Micro-units charged within a day for calls and texts to numbers that cost a third party's price."""
    COUNTRIES = "countries"
    """Changes of country within an hour."""
    TOPUPS = "topups"
    """Top-ups within an hour."""


MONEY: Final = frozenset({FraudKind.SPEND, FraudKind.PREMIUM})


class FraudLimits(msgspec.Struct, frozen=True):
    """The limits of a plan, NEVER where one is not looked at; `bar` are the kinds that bar a line at once."""

    spend: int = NEVER
    premium: int = NEVER
    countries: int = NEVER
    topups: int = NEVER
    bar: frozenset[FraudKind] = frozenset()

    def of(self, kind: FraudKind) -> int:
        """Return the limit of a kind."""
        limit: int = getattr(self, kind)
        return limit


class FraudRules(msgspec.Struct, frozen=True):
    """The limits of all plans, those of plans that have their own, and the first digits of premium numbers."""

    usual: FraudLimits = FraudLimits()
    plans: Mapping[str, FraudLimits] = {}
    destinations: tuple[str, ...] = ()

    def of(self, plan: str | None) -> FraudLimits:
        """Return the limits of a plan."""
        return self.plans.get(plan or "", self.usual)

    def least(self, kind: FraudKind) -> int:
        """Return the least limit of a kind that any plan has."""
        return min(each.of(kind) for each in (self.usual, *self.plans.values()))
