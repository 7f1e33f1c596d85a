"""What samples of a month may tell of it without causes, all of them together.

Whoever has a cause's exact sum of a month, and every bill's tenth, finds by trying which of them make it up. So a sample
without causes has a tenth of a month's bills at most, and so have all samples together: packs can be laid side by side.
"""

from typing import ClassVar, Final

from sqlalchemy import func, insert, select

from gateway.store.batch import Batch, Unit
from gateway.store.tables import audited_bills

FEWEST_UNDRAWN: Final = 10
"""One bill in so many is told of at most."""


def most_drawn(month: int) -> int:
    """Return how many of a month's bills samples tell of at most, where causes are not named."""
    return max(1, month // FEWEST_UNDRAWN)


class TellBills(Unit):
    """Write down that a sample tells of these bills of a month, before it does; `most`: how many may be told of in all."""

    touches: ClassVar[tuple[type, ...]] = ()

    period: str
    bills: list[int]
    most: int

    def decide(self, batch: Batch) -> bool:
        """Return whether they may be told of: those that were before always may."""
        own, connection = audited_bills.c, batch.connection
        of_month = own.period == self.period
        before = int(connection.scalar(select(func.count()).select_from(audited_bills).where(of_month)) or 0)
        known = set(connection.scalars(select(own.bill_id).where(of_month, own.bill_id.in_(self.bills))))
        fresh = [bill for bill in self.bills if bill not in known]
        if fresh and before + len(fresh) > self.most:
            return False
        if fresh:
            rows = [{"period": self.period, "bill_id": bill, "at": batch.now} for bill in fresh]
            connection.execute(insert(audited_bills), rows)
        return True
