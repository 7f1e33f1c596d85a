"""Bills and credit notes as one step of a close writes them: each series from its next number on, balances line by line."""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, func, select

from gateway.billing.accounts import OPEN, BillAccount
from gateway.billing.content import merged, negated, read_content, without_corrections, write_content
from gateway.billing.cuts import Close, Sums
from gateway.billing.reading import Draft
from gateway.billing.rounding import rounded, unit_of
from gateway.billing.series import BILL, CREDIT_NOTE
from gateway.store.batch import Batch
from gateway.store.tables import bills


class NewBill(msgspec.Struct, frozen=True):
    """A bill or credit note that has no number yet; money in micro-units, `due_at` in microseconds."""

    series: str
    subscriber_id: int
    currency: str
    opening: int
    closing: int
    content: bytes
    due: int = 0
    due_at: int | None = None
    given: int = 0
    replaces: int | None = None


class BillWriter:
    """Writes the bills of one step; `bills`, `credit_notes` and `sums` are what the close comes to with them."""

    def __init__(self, batch: Batch, close: Close, due: int) -> None:
        """Take the batch, the close as it stands, and how long bills may be paid (microseconds)."""
        self._batch, self._close, self._due = batch, close, due
        self._last = {series: _last_number(batch.connection, series) for series in (BILL, CREDIT_NOTE)}
        self.bills = self.credit_notes = 0
        self.sums = {currency: msgspec.structs.replace(each) for currency, each in close.sums.items()}

    def write(self, draft: Draft, account: BillAccount | None, replaced: Mapping[int, Row[Any]]) -> BillAccount:
        """Write a line's bill, and give how the line stands then."""
        before = replaced.get(account.bill_id) if account is not None else None
        if before is not None and account is not None:
            return self._replace(draft, account, before)
        opening = 0 if account is None else account.closing
        arrears = 0 if account is None else account.due - draft.paid
        opening, draft = self._credit(draft, opening)
        return self._bill(draft, account, opening, arrears, None)

    def _credit(self, draft: Draft, opening: int) -> tuple[int, Draft]:
        """Write a credit note for what was given back of prices; gives the balance after it, and what is left for the bill."""
        rest, note = without_corrections(read_content(draft.content))
        if note is None:
            return opening, draft
        closing = opening + note.amount
        self._add(NewBill(CREDIT_NOTE, draft.subscriber_id, draft.currency, opening, closing, write_content(note)))
        left = msgspec.structs.replace(draft, moved=draft.moved - note.amount, content=write_content(rest))
        return closing, left

    def _replace(self, draft: Draft, account: BillAccount, before: Row[Any]) -> BillAccount:
        """Take back the bill that the line has of this month, and write one that has what came late as well."""
        old = read_content(before.content)
        note = NewBill(
            series=CREDIT_NOTE,
            subscriber_id=draft.subscriber_id,
            currency=before.currency,
            opening=before.closing,
            closing=before.opening,
            content=write_content(negated(old)),
            due=-before.due,
            given=-before.given,
            replaces=before.id,
        )
        self._add(note)
        arrears = account.arrears - draft.paid
        opening, draft = self._credit(draft, before.opening)
        content = merged(old, read_content(draft.content))
        whole = msgspec.structs.replace(
            draft, moved=content.amount, given=before.given + draft.given, content=write_content(content)
        )
        return self._bill(whole, account, opening, arrears, before.id)

    def _bill(
        self, draft: Draft, account: BillAccount | None, opening: int, arrears: int, replaces: int | None
    ) -> BillAccount:
        closing = opening + draft.moved
        due = max(0, -rounded(closing, unit_of(draft.currency)))
        bill = NewBill(
            series=BILL,
            subscriber_id=draft.subscriber_id,
            currency=draft.currency,
            opening=opening,
            closing=closing,
            content=draft.content,
            due=due,
            due_at=self._batch.now + self._due if due else None,
            given=draft.given,
            replaces=replaces,
        )
        return _standing(self._add(bill), self._close.id, bill, min(due, max(0, arrears)), account, self._batch.now)

    def _add(self, new: NewBill) -> int:
        """Give it its number, count it, and write it down; gives its identifier."""
        self._last[new.series] += 1
        identifier, close = self._batch.take_id(), self._close
        named = (identifier, new.series, self._last[new.series], close.id, close.period, new.subscriber_id)
        money = (self._batch.now, new.currency, new.opening, new.closing, new.due, new.due_at, new.given)
        self._batch.add(bills, (*named, *money, new.content, new.replaces))
        if new.series == BILL:
            self.bills += 1
        else:
            self.credit_notes += 1
        self._count(new)
        return identifier

    def _count(self, new: NewBill) -> None:
        sums, unit = self.sums.setdefault(new.currency, Sums()), unit_of(new.currency)
        sums.moved += new.closing - new.opening
        sums.minor += rounded(new.closing, unit) - rounded(new.opening, unit)
        sums.due += new.due
        sums.given += new.given


def _standing(
    bill_id: int, close_id: int, bill: NewBill, arrears: int, before: BillAccount | None, now: int
) -> BillAccount:
    """Return how a line stands once it has another bill: what it owes of those before goes on to be overdue."""
    late = None
    if before is not None and arrears:
        late = before.arrears_due_at if before.arrears_due_at is not None else before.due_at
    state, state_at = (OPEN, now) if before is None else (before.state, before.state_at)
    first = late if late is not None else bill.due_at
    return BillAccount(
        subscriber_id=bill.subscriber_id,
        bill_id=bill_id,
        close_id=close_id,
        currency=bill.currency,
        closing=bill.closing,
        due=bill.due,
        arrears=arrears,
        due_at=bill.due_at,
        arrears_due_at=late,
        state=state,
        state_at=state_at,
        next_at=first if state == OPEN else now,  # whoever is further in dunning may have paid by this bill
    )


def _last_number(connection: Connection, series: str) -> int:
    last = connection.execute(select(func.max(bills.c.number)).where(bills.c.series == series)).scalar()
    return 0 if last is None else int(last)
