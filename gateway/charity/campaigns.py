"""Campaigns that match gifts: who adds how much to which gifts, from when until when, and up to how much in all."""

from datetime import date

import msgspec

WHOLE = 10_000
"""Basis points in one whole."""


class Campaign(msgspec.Struct, frozen=True):
    """A matcher's promise: `ratio` in basis points of each gift, at most `cap` (micro-units of `currency`) in all.

    Gifts to `causes` (none named: to all) are matched that are made from `begins` until and with `ends`, days by the operator's
    clock.
    """

    id: str
    matcher: str
    ratio: int
    cap: int
    currency: str
    begins: date
    ends: date
    causes: frozenset[str] = frozenset()

    def adds(self, cause: str, amount: int, currency: str, day: date, matched: int) -> int:
        """Return what it adds to a gift made on a day, after what it matched before; rounded down to the micro-unit."""
        if currency != self.currency or not self.begins <= day <= self.ends:
            return 0
        if self.causes and cause not in self.causes:
            return 0
        return max(0, min(amount * self.ratio // WHOLE, self.cap - matched))
