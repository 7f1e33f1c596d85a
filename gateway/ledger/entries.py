"""Double entry with one row: an entry debits one account and credits another by the same positive amount."""

import msgspec
from msgspec.structs import astuple


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One line of the journal, before it has a number. Money in micro-units, times in microseconds.

    An accrual also says what it was computed from: `base`, `policy` and `share` in basis points. The fields are columns of the
    table `transfers`, in its order.
    """

    kind: str
    debit: int
    credit: int
    amount: int
    currency: str
    event_at: int
    usage_id: int | None = None
    base: int | None = None
    policy: str | None = None
    share: int | None = None
    reference: str | None = None

    def row(self, entry_id: int, now: int) -> tuple[object, ...]:
        """Return the row of the table `transfers`, its columns in order."""
        return (entry_id, now, *astuple(self))
