"""The rules of the tenth by version. A policy's id is stamped on every accrual, so that it can be recomputed for ever."""

import msgspec

from gateway.rating.prices import half_even

WHOLE = 10_000
"""Basis points in one whole."""


class Policy(msgspec.Struct, frozen=True):
    """How much of which base goes to the chosen causes.

    `rate` is in basis points of the base. Base `gross` is the price that the customer paid, tax included. Usage outside a
    bundle accrues when it is used, a bundle when it is sold.
    """

    id: str
    base: str
    rate: int

    def tenth(self, base: int) -> int:
        """Compute the tenth of a base in micro-units, rounded once, half-even."""
        return half_even(base * self.rate, WHOLE)

    def accrual(self, base: int, share: int) -> int:
        """Compute a cause's part of the tenth in micro-units, rounded once, half-even; `share` in basis points."""
        return half_even(base * self.rate * share, WHOLE * WHOLE)


POLICIES = {policy.id: policy for policy in (Policy("2026-1", base="gross", rate=1_000),)}


def recompute(policy: str, base: int, share: int) -> int | None:
    """Recompute an accrual from what is stamped on it; None for a policy that nobody knows."""
    found = POLICIES.get(policy)
    return None if found is None else found.accrual(base, share)
