"""The rules of the tenth by version. A policy's id is stamped on every accrual, so that it can be recomputed for ever.

A policy is data: its base, its rate, what is left out, and from when on it is in force. One never changes: another rule has
another id. `2026-1` is the program's own; further ones stand in the settings (`charity.policies`), and by their content in the
store once a gateway ran with them (decision 048).
"""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Final

import msgspec

from gateway.rating.prices import half_even

WHOLE = 10_000
"""Basis points in one whole."""
SALE: Final = "sale"
"""What a bundle or an add-on is sold for."""
USAGE: Final = "usage"
"""Whatever is used, of all services."""
SERVICES: Final = ("data", "voice", "sms")
PAID: Final = "paid"
CHARGED: Final = "charged"
GROSS: Final = "gross"
NET: Final = "net"


class Policy(msgspec.Struct, frozen=True, omit_defaults=True):
    """How much of which base goes to the chosen causes.

    `rate` is in basis points of the base. Base `gross` is the price that the customer paid, tax included; `net` is that less
    the tax in it, whose rate is `tax`, in basis points of the price without it: another rate of tax is another policy. Usage
    outside a bundle accrues when it is used, a bundle when it is sold; on `exclusions` nothing accrues: USAGE, one of SERVICES,
    SALE. `effective_from` is in microseconds: by the time of the event. `trigger` is what confirms a tenth: PAID, that its
    charge is paid for, or CHARGED, the charge itself, so that the company gives it whether it is ever paid or not.
    """

    id: str
    base: str
    rate: int
    tax: int = 0
    exclusions: tuple[str, ...] = ()
    effective_from: int = 0
    trigger: str = PAID

    @property
    def part(self) -> Fraction:
        """The part of a price that is given."""
        return Fraction(self.rate, WHOLE + self.tax if self.base == NET else WHOLE)

    def leaves_out(self, what: str) -> bool:
        """Return whether nothing accrues on a service, on any use, or on a sale."""
        return what in self.exclusions or (what in SERVICES and USAGE in self.exclusions)

    def tenth(self, base: int) -> int:
        """Compute the tenth of a price in micro-units, rounded once, half-even."""
        return half_even(base * self.rate, WHOLE + self.tax)

    def accrual(self, base: int, share: int) -> int:
        """Compute a cause's part of the tenth in micro-units, rounded once, half-even; `share` in basis points."""
        return half_even(base * self.rate * share, (WHOLE + self.tax) * WHOLE)


POLICIES = {policy.id: policy for policy in (Policy("2026-1", base=GROSS, rate=1_000),)}


def given_anyhow(policies: Iterable[Policy]) -> frozenset[str]:
    """Name the rules by which a tenth is given, whether its charge is paid for or not."""
    return frozenset(policy.id for policy in policies if policy.trigger == CHARGED)


def in_force(policies: Sequence[Policy], at: int) -> Policy:
    """Return the policy in force at a time (microseconds): the latest that had begun; before all of them the first."""
    begun = [policy for policy in policies if policy.effective_from <= at]
    return max(begun, key=lambda policy: policy.effective_from) if begun else policies[0]


def recompute(policy: str, base: int, share: int) -> int | None:
    """Recompute an accrual from what is stamped on it, by the program's own rules; None for another policy."""
    return recompute_by(POLICIES.values(), policy, base, share)


def recompute_by(policies: Iterable[Policy], policy: str, base: int, share: int) -> int | None:
    """Recompute an accrual by one of these policies; None for one that is not among them."""
    found = next((each for each in policies if each.id == policy), None)
    return None if found is None else found.accrual(base, share)
