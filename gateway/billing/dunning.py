"""What becomes of bills that are not paid: one literal table of states, and the unit that takes a line from one to the next.

Only lines that pay at the end of the month are dunned, and those that ended with a debt: who pays in advance is not served
beyond the balance. What has begun goes on whatever terms the line has then. Who has paid, by whatever payment, is open again.
"""

from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import Any, ClassVar, Final, NamedTuple

import msgspec
from sqlalchemy import select

from gateway.balance import bookings
from gateway.balance.wallets import Wallet, WalletRows
from gateway.billing.accounts import BillAccount, account_of, write_accounts
from gateway.ledger.books import Books
from gateway.messaging.keywords.amounts import Money
from gateway.notices.kinds import NoticeKind
from gateway.notices.sending import NoticeSender
from gateway.notices.wording import Day, Value
from gateway.store.batch import Batch, RowSet, Unit
from gateway.store.known_values import member_of
from gateway.store.tables import bill_accounts, bill_events

ACTOR: Final = "dunning"


class State(StrEnum):
    """How a line stands with its bills."""

    OPEN = "open"
    OVERDUE = "overdue"
    SUSPENDED = "suspended"
    WRITTEN_OFF = "written_off"


class Does(StrEnum):
    """What a step does beside telling the customer."""

    NOTHING = "nothing"
    SUSPEND = "suspend"
    WRITE_OFF = "write_off"


class Wait(StrEnum):
    """How long a state lasts at most: until the bill is due, or by which key of `bills` in the settings."""

    DUE = "due"
    SUSPEND = "suspend"
    WRITE_OFF = "write_off"


class Step(NamedTuple):
    """What follows a state where nothing was paid: after which time, to which state, with what, told by which notice."""

    after: Wait
    to: State
    does: Does
    notice: NoticeKind | None


DUNNING: Final[dict[State, Step]] = {
    State.OPEN: Step(Wait.DUE, State.OVERDUE, Does.NOTHING, NoticeKind.BILL_OVERDUE),
    State.OVERDUE: Step(Wait.SUSPEND, State.SUSPENDED, Does.SUSPEND, NoticeKind.BILL_SUSPENDED),
    State.SUSPENDED: Step(Wait.WRITE_OFF, State.WRITTEN_OFF, Does.WRITE_OFF, None),
}
"""A notice goes before each measure (Ofcom General Condition C3): the first says when the line would be suspended."""
RESUMED: Final = State.SUSPENDED
"""From this state a line is resumed once its bills are paid."""


def state_of(account: BillAccount) -> State:
    """Return the state of a line; RowUnknown where its row has none that this version knows."""
    return member_of(State, account.state, "bill_accounts", account.subscriber_id)


class Waits(msgspec.Struct, frozen=True):
    """How long the states last, in microseconds (`bills` of the settings)."""

    suspend: int
    write_off: int

    def end_of(self, account: BillAccount) -> int | None:
        """Return when the state that a line is in ends by itself; None where it does not."""
        step = DUNNING.get(state_of(account))
        if step is None:
            return None
        if step.after is Wait.DUE:
            return account.arrears_due_at if account.arrears_due_at is not None else account.due_at
        return account.state_at + (self.suspend if step.after is Wait.SUSPEND else self.write_off)


class Look(msgspec.Struct, frozen=True):
    """What was found of a line: what it still owes of its bills (micro-units), and how it stood then."""

    account: BillAccount
    outstanding: int
    overdue: int
    """What of it is past its date."""
    gifts: int = 0
    """What of it is gifts, which are paid last."""


class NextState(msgspec.Struct, frozen=True):
    """Where a line goes: the state, when it is looked at again (microseconds, None: when somebody pays), what is done."""

    to: State
    next_at: int | None
    does: Does = Does.NOTHING
    notice: NoticeKind | None = None
    resumes: bool = False


def decide(look: Look, waits: Waits, now: int, *, dunned: bool) -> NextState:
    """Say where a line goes by the table. Pure."""
    account, state = look.account, state_of(look.account)
    if not look.outstanding or (state is not State.OPEN and not look.overdue):
        later = account.due_at if look.outstanding and account.due_at is not None and account.due_at > now else None
        return NextState(State.OPEN, later, resumes=state is RESUMED)
    if not dunned:
        return NextState(state, None)
    end = waits.end_of(account)
    step = DUNNING.get(state)
    if step is None or end is None:
        return NextState(state, None)
    if end > now:
        return NextState(state, end)
    moved = msgspec.structs.replace(account, state=step.to, state_at=now)
    return NextState(step.to, waits.end_of(moved), step.does, step.notice)


class StepDunning(Unit):
    """Take a line to its next state; nothing is done where it was paid for, billed or stepped since it was looked at."""

    touches: ClassVar[tuple[type, ...]] = (WalletRows,)

    look: Look
    next: NextState
    date: str
    reference: str

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:  # noqa: ARG002  (the signature of a unit)
        """Name the line."""
        return (self.look.account.subscriber_id,)

    def decide(self, batch: Batch) -> bool:
        """Return whether it was done."""
        before = self.look.account
        own = select(bill_accounts).where(bill_accounts.c.subscriber_id == before.subscriber_id)
        row = batch.connection.execute(own).one_or_none()
        wallet = batch.row_set(WalletRows).get(before.subscriber_id)
        if row is None or wallet is None or account_of(row) != before:
            return False
        step = self.next
        if step.does is Does.WRITE_OFF and not self._write_off(batch, wallet):
            return False
        changed = step.to != before.state
        state_at = batch.now if changed else before.state_at
        after = msgspec.structs.replace(before, state=step.to, state_at=state_at, next_at=step.next_at)
        write_accounts(batch, [after], {before.subscriber_id: before})
        if changed:
            self._record(batch, wallet)
        return True

    def _write_off(self, batch: Batch, wallet: Wallet) -> bool:
        amount = min(self.look.outstanding, -wallet.balance)
        if amount <= 0:
            return False
        books, reference = batch.policy(Books), f"bill:{self.look.account.bill_id}"
        books.post(batch, [bookings.write_off(wallet, books.account, amount, batch.now, reference)])
        return True

    def _record(self, batch: Batch, wallet: Wallet) -> None:
        amount, event = self.look.outstanding, self.next.to.value
        row = (
            batch.take_id(),
            batch.now,
            wallet.subscriber_id,
            event,
            amount,
            wallet.currency,
            self.reference,
            None,
            ACTOR,
        )
        batch.add(bill_events, row)
        if self.next.notice is not None:
            values: dict[str, Value] = {
                "amount": Money(amount, wallet.currency),
                "date": Day(date.fromisoformat(self.date)),
                "reference": self.reference,
            }
            period = f"bill {self.look.account.bill_id}"
            batch.policy(NoticeSender).send(batch, wallet.subscriber_id, self.next.notice, period, values)
