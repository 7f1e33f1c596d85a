"""How lines stand with their bills, held against those bills and the steps of dunning, for `tpo ledger check`.

What a row of `bill_accounts` says is followed from the first bill of its line on, as a close writes it (billing.bill_writing):
what is due is the latest bill's, arrears are what was due before less what that bill says came in, and the state is that of the
last step of dunning. When dunning looks again (`next_at`) is no part of it: a payment changes that.
"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, select

from gateway.billing.accounts import OPEN, BillAccount, account_of
from gateway.billing.content import Content
from gateway.billing.dunning import State
from gateway.billing.series import BILL
from gateway.ledger.checks.examined import SHOWN, Finding
from gateway.store.tables import bill_accounts, bill_events

CHECK: Final = "bill_account"
STREAMED: Final = {"yield_per": 1000}
SAID: Final = tuple(
    name for name in BillAccount.__struct_fields__ if name not in ("subscriber_id", "closing", "next_at")
)
"""What is held: what a line closes with is held against the journal (billing.check_bills)."""
WHAT_TO_DO: Final = "put the row of bill_accounts back from a backup: dunning goes by it"


class StandingsCheck:
    """Takes the bills of each line, in the order of lines and of bills, and holds the line's row against them."""

    def __init__(self, connection: Connection) -> None:
        """Begin to read the rows of lines and the steps of dunning, both in the order of their lines."""
        own, steps = bill_accounts.c, bill_events.c
        rows = connection.execute(select(bill_accounts).order_by(own.subscriber_id), execution_options=STREAMED)
        self._accounts = (account_of(row) for row in rows)
        self._account = next(self._accounts, None)
        wanted = select(steps.subscriber_id, steps.event, steps.at).where(
            steps.event.in_([each.value for each in State])
        )
        self._steps = iter(
            connection.execute(wanted.order_by(steps.subscriber_id, steps.id), execution_options=STREAMED)
        )
        self._step = next(self._steps, None)
        self._expected: BillAccount | None = None
        self._paid = self._billed = self._count = 0
        self._found: list[Finding] = []

    def bill(self, row: Any, content: Content) -> None:  # noqa: ANN401  (a row)
        """Take a bill or credit note."""
        before = self._expected
        if before is not None and before.subscriber_id != row.subscriber_id:
            self._hold(before)
            before = self._expected = None
            self._paid = 0
        if row.series != BILL:
            self._paid += 0 if row.replaces is not None else content.paid  # beside the bill of the same close
            return
        paid, self._paid = self._paid + content.paid, 0
        if row.replaces is None:
            arrears = 0 if before is None else before.due - paid
        else:
            arrears = 0 if before is None else before.arrears - (paid - self._billed)
        self._billed = content.paid
        self._expected = _after(before, row, min(row.due, max(0, arrears)))

    def findings(self) -> Iterator[Finding]:
        """Hold the last line, and name all that were found; the first few, and how many there are."""
        if self._expected is not None:
            self._hold(self._expected)
        while self._account is not None:
            self._lone(self._account)
            self._account = next(self._accounts, None)
        yield from self._found
        if self._count > SHOWN:
            yield Finding(CHECK, f"{self._count} lines in all do not stand as their bills say")

    def _hold(self, bills: BillAccount) -> None:
        while self._account is not None and self._account.subscriber_id < bills.subscriber_id:
            self._lone(self._account)
            self._account = next(self._accounts, None)
        if self._account is None or self._account.subscriber_id != bills.subscriber_id:
            self._name(f"line {bills.subscriber_id} has bills and no row of bill_accounts: put it back from a backup")
            return
        expected = self._stepped(bills)
        wrong = [name for name in SAID if getattr(expected, name) != getattr(self._account, name)]
        if wrong:
            said = ", ".join(f"{name} {getattr(self._account, name)} for {getattr(expected, name)}" for name in wrong)
            self._name(f"line {bills.subscriber_id} does not stand as its bills say ({said}): {WHAT_TO_DO}")
        self._account = next(self._accounts, None)

    def _stepped(self, bills: BillAccount) -> BillAccount:
        """Return how a line stands after its last step of dunning."""
        line, last = bills.subscriber_id, None
        while self._step is not None and self._step.subscriber_id <= line:
            last = self._step if self._step.subscriber_id == line else last
            self._step = next(self._steps, None)
        return bills if last is None else msgspec.structs.replace(bills, state=last.event, state_at=last.at)

    def _lone(self, account: BillAccount) -> None:
        self._name(f"line {account.subscriber_id} has a row of bill_accounts and no bill: take it away")

    def _name(self, what: str) -> None:
        self._count += 1
        if self._count <= SHOWN:
            self._found.append(Finding(CHECK, what))


def _after(before: BillAccount | None, row: Any, arrears: int) -> BillAccount:  # noqa: ANN401  (a row)
    """Return how a line stands once it has a bill, before any step of dunning; arrears stay due since they were."""
    late = None
    if before is not None and arrears:
        late = before.arrears_due_at if before.arrears_due_at is not None else before.due_at
    return BillAccount(
        subscriber_id=row.subscriber_id,
        bill_id=row.id,
        close_id=row.close_id,
        currency=row.currency,
        closing=row.closing,
        due=row.due,
        arrears=arrears,
        due_at=row.due_at,
        arrears_due_at=late,
        state=OPEN,
        state_at=row.at if before is None else before.state_at,
        next_at=None,
    )
