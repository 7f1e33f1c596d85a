"""What a plan says of tax: whether its prices include it, and whose tax it is."""

from enum import StrEnum
from typing import Final

import msgspec

STANDARD: Final = "standard"
"""The kind of rate that telecommunications have, unless a plan names another."""


class Treatment(StrEnum):
    """How a plan's prices stand to tax."""

    INCLUSIVE = "inclusive"
    """Tax is within them."""
    EXCLUSIVE = "exclusive"
    """Tax is added to them, by where the line is."""


class PlanTax(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a plan says of tax: `kind` is which of the jurisdiction's rates its prices include."""

    treatment: Treatment
    jurisdiction: str
    kind: str = STANDARD
