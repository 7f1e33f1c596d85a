"""The taxes within prices that bills tell of, by the plans and the table of taxes in force."""

from gateway.billing.reading import NO_TAXES, TaxPoints
from gateway.settings import Settings


def tax_points(_settings: Settings) -> TaxPoints:
    """Give them; without a table of taxes bills tell of none."""
    return NO_TAXES
