"""What services that are paid for on the phone bill may by law come to, one by one and in a month.

Premium calls and gifts by text are payment services unless each is small: in the UK 40 pounds each and 240 pounds a month for
a line (Payment Services Regulations 2017, schedule 1, paragraph 2(l)); in the European Union 50 and 300 euros (Directive
2015/2366, article 3(l)). A month is the calendar's, by the operator's clocks.
"""

from typing import Final

import msgspec


class PaidServiceLimit(msgspec.Struct, frozen=True):
    """The most that one service may cost, and all of a month, in micro-units of a currency."""

    currency: str
    each: int
    monthly: int


_EURO: Final = (
    *("AT", "BE", "BG", "CY", "DE", "EE", "ES", "FI", "FR", "GR", "HR"),
    *("IE", "IT", "LT", "LU", "LV", "MT", "NL", "PT", "SI", "SK"),
)
LIMITS: Final = {
    "GB": PaidServiceLimit("GBP", 40_000_000, 240_000_000),
    **dict.fromkeys(_EURO, PaidServiceLimit("EUR", 50_000_000, 300_000_000)),
}
"""By the operator's country (ISO 3166). Wallets in another currency than the limit's have none."""


def limit_of(country: str, currency: str) -> PaidServiceLimit | None:
    """Return the limit of a country for wallets in a currency; None where there is none."""
    found = LIMITS.get(country)
    return found if found is not None and found.currency == currency else None
