"""How lines stand with their bills, held against those bills and the steps of dunning, for `tpo ledger check`.

What a row of `bill_accounts` says is followed from the first bill of its line on, as a close writes it (billing.bill_writing):
what is due is the latest bill's, arrears are what was due before less what that bill says came in, and the state is that of the
last step of dunning. When dunning looks again (`next_at`) is no part of it: a payment changes that.
"""

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Connection, select

from gateway.billing.accounts import OPEN
from gateway.billing.content import Content
from gateway.billing.dunning import State
from gateway.billing.series import BILL
from gateway.ledger.checks.examined import SHOWN, Finding
from gateway.store.tables import bill_accounts, bill_events

CHECK: Final = "bill_account"
STREAMED: Final = {"yield_per": 1000}
SAID: Final = (
    "bill_id",
    "close_id",
    "currency",
    "due",
    "arrears",
    "due_at",
    "arrears_due_at",
    "state",
    "state_at",
)
"""What is held: what a line closes with is held against the journal (billing.check_bills)."""
WHAT_TO_DO: Final = "put the row of bill_accounts back from a backup: dunning goes by it"


class StandingsCheck:
    """Takes the bills of each line, in the order of lines and of bills, and holds the line's row against them."""

    def __init__(self, connection: Connection) -> None:
        """Begin to read the rows of lines and the steps of dunning, both in the order of their lines."""
        own, steps = bill_accounts.c, bill_events.c
        rows = select(own.subscriber_id, *(own[name] for name in SAID)).order_by(own.subscriber_id)
        self._accounts: Iterator[Any] = iter(connection.execute(rows, execution_options=STREAMED))
        self._account = next(self._accounts, None)
        wanted = select(steps.subscriber_id, steps.event, steps.at).where(
            steps.event.in_([each.value for each in State])
        )
        self._steps: Iterator[Any] = iter(
            connection.execute(wanted.order_by(steps.subscriber_id, steps.id), execution_options=STREAMED)
        )
        self._step = next(self._steps, None)
        self._line: int | None = None
        self._begin()
        self._count = 0
        self._found: list[Finding] = []

    def _begin(self) -> None:
        """Know nothing of a line yet."""
        self._bill: Any = None
        self._first_at = self._paid = self._billed = self._due = self._arrears = 0
        self._due_at: int | None = None
        self._late: int | None = None
        """Since when the arrears are due."""

    def bill(self, row: Any, content: Content) -> None:  # noqa: ANN401  (a row)
        """Take a bill or credit note."""
        if row.subscriber_id != self._line:
            self._hold()
            self._line = row.subscriber_id
            self._begin()
        if row.series != BILL:
            self._paid += 0 if row.replaces is not None else content.paid  # beside the bill of the same close
            return
        paid, replaces, due = content.paid, row.replaces, row.due
        if self._bill is None:
            self._first_at, left = row.at, 0
        elif replaces is None:
            left = self._due - self._paid - paid
        else:
            left = self._arrears - (self._paid + paid - self._billed)
        self._arrears = min(due, max(0, left))
        self._late = (self._due_at if self._late is None else self._late) if self._arrears else None
        self._bill, self._due, self._due_at = row, due, row.due_at
        self._paid, self._billed = 0, paid

    def findings(self) -> Iterator[Finding]:
        """Hold the last line, and name all that were found; the first few, and how many there are."""
        self._hold()
        while self._account is not None:
            self._lone(self._account)
            self._account = next(self._accounts, None)
        yield from self._found
        if self._count > SHOWN:
            yield Finding(CHECK, f"{self._count} lines in all do not stand as their bills say")

    def _hold(self) -> None:
        """Hold the row of a line against what its bills came to."""
        bill, line, account = self._bill, self._line, self._account
        if bill is None or line is None:
            return
        while account is not None and account[0] < line:
            self._lone(account)
            account = next(self._accounts, None)
        if account is None or account[0] != line:
            self._account = account
            self._name(f"line {line} has bills and no row of bill_accounts: put it back from a backup")
            return
        self._account = next(self._accounts, None)
        dues = (self._due, self._arrears, self._due_at, self._late)
        expected = (line, bill.id, bill.close_id, bill.currency, *dues, *self._state(line))
        if expected != tuple(account):
            both = zip(SAID, account[1:], expected[1:], strict=True)
            said = ", ".join(f"{name} {found} for {wanted}" for name, found, wanted in both if found != wanted)
            self._name(f"line {line} does not stand as its bills say ({said}): {WHAT_TO_DO}")

    def _state(self, line: int) -> tuple[str, int]:
        """Return the state of a line after its last step of dunning, and since when."""
        state, state_at = OPEN, self._first_at
        while self._step is not None and self._step[0] <= line:
            if self._step[0] == line:
                _, state, state_at = self._step
            self._step = next(self._steps, None)
        return state, state_at

    def _lone(self, account: Any) -> None:  # noqa: ANN401  (as above)
        self._name(f"line {account[0]} has a row of bill_accounts and no bill: take it away")

    def _name(self, what: str) -> None:
        self._count += 1
        if self._count <= SHOWN:
            self._found.append(Finding(CHECK, what))
