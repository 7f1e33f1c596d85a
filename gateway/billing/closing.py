"""The close of a month as units of the write lane: begun by a cut, billed in steps of some thousand lines, then closed.

Whoever is killed between two steps goes on behind the last one: a step says where it begins, and is not done twice. A month
that is closed stays so; reopening it needs two people, and a bill that changes is taken back by a credit note.
"""

from collections.abc import Iterable
from typing import Any, ClassVar, Final

import msgspec
from sqlalchemy import Connection, Row, select, update

from gateway.billing.accounts import accounts_between, write_accounts
from gateway.billing.bill_writing import BillWriter
from gateway.billing.cuts import CLOSED, NOTHING, REOPENED, RUNNING, Close, Cut, close_of, closes, take_cut
from gateway.billing.reading import Draft
from gateway.billing.series import BILL
from gateway.charity.months import following
from gateway.store.batch import Batch, Unit
from gateway.store.tables import bill_closes, bills

ACTOR: Final = 64
"""Characters that are kept of who had it done."""


class CloseRefused(ValueError):
    """A month that cannot be closed, or reopened, as it stands."""

    def __init__(self, code: str, detail: str) -> None:
        """Take a stable code and a sentence."""
        super().__init__(detail)
        self.code = code


class BeginClose(Unit):
    """Begin to close a month that ends before `until`, or give the close that was begun, or done, before."""

    alone: ClassVar[bool] = True

    period: str
    until: int
    actor: str

    def decide(self, batch: Batch) -> Close | CloseRefused:
        """Take the cut, and write down that the close runs."""
        found = closes(batch.connection)
        last = found[-1] if found else None
        if last is not None and last.period == self.period and last.state != REOPENED:
            return last
        if last is not None and last.state in {RUNNING, REOPENED} and last.period != self.period:
            return CloseRefused("bill.running", f"{last.period} is {last.state}: it is closed first")
        if last is not None and self.period < last.period:
            return CloseRefused("bill.period", f"{last.period} is closed, and no month before it can be")
        if batch.now < self.until:
            return CloseRefused("bill.early", f"{self.period} is not over")
        # A month that is left out would stand on the bill of another one, and could never have its own.
        if last is not None and self.period > following(last.period):
            return CloseRefused("bill.order", f"{following(last.period)} is closed first: a bill is of one month")
        close = self._begun(batch, last)
        batch.add(bill_closes, close.row())
        return close

    def _begun(self, batch: Batch, last: Close | None) -> Close:
        before = NOTHING if last is None else last.cut
        again = last is not None and last.period == self.period
        return Close(
            id=batch.take_id(),
            period=self.period,
            revision=last.revision + 1 if again and last is not None else 0,
            state=RUNNING,
            node=batch.node.id,
            cut=take_cut(batch.connection, batch.node, before, self.until),
            after=0,
            bills=0,
            credit_notes=0,
            sums={},
            begun_at=batch.now,
            begun_by=self.actor[:ACTOR],
            closed_at=None,
            reopening_by="",
            reopened_by="",
            reason="",
        )


class WriteBills(Unit):
    """The bills of the next lines of a close, those after the subscriber `after`; `due` is how long they may be paid.

    That is in microseconds. Nothing is done where the close is further: another gateway, or this one before a kill, did it.
    """

    alone: ClassVar[bool] = True

    close_id: int
    after: int
    drafts: list[Draft]
    due: int

    def decide(self, batch: Batch) -> Close:
        """Give each line its bill, and the close as it stands then."""
        close = close_of(batch.connection, self.close_id)
        if close.state != RUNNING or close.after != self.after or not self.drafts:
            return close
        writer = BillWriter(batch, close, self.due)
        low, high = self.drafts[0].subscriber_id, self.drafts[-1].subscriber_id
        known = accounts_between(batch.connection, low, high)
        replaced = _replaced(batch.connection, close, low, high)
        accounts = [writer.write(draft, known.get(draft.subscriber_id), replaced) for draft in self.drafts]
        write_accounts(batch, accounts, known)
        changed = msgspec.structs.replace(
            close,
            after=high,
            bills=close.bills + writer.bills,
            credit_notes=close.credit_notes + writer.credit_notes,
            sums=writer.sums,
        )
        return _changed(batch, changed)


class FinishClose(Unit):
    """Seal a close whose lines are all billed; `cut` says from where the next one has to read."""

    alone: ClassVar[bool] = True

    close_id: int
    after: int
    cut: Cut

    def decide(self, batch: Batch) -> Close:
        """Write down that it is closed, and when."""
        close = close_of(batch.connection, self.close_id)
        if close.state != RUNNING or close.after != self.after:
            return close
        return _changed(batch, msgspec.structs.replace(close, state=CLOSED, cut=self.cut, closed_at=batch.now))


class ReopenMonth(Unit):
    """One person asks for the last closed month to be reopened, and says why; another one confirms it."""

    alone: ClassVar[bool] = True

    period: str
    actor: str
    reason: str = ""
    confirm: bool = False

    def decide(self, batch: Batch) -> Close | CloseRefused:
        """Write down who asked, or who confirmed."""
        found = closes(batch.connection)
        last = found[-1] if found else None
        if last is None or last.period != self.period or last.state != CLOSED:
            return CloseRefused("bill.closed", f"{self.period} is not the month that was closed last")
        actor = self.actor[:ACTOR]
        if not self.confirm:
            asked = msgspec.structs.replace(last, reopening_by=actor, reason=self.reason)
            return _changed(batch, asked)
        if not last.reopening_by:
            return CloseRefused("bill.reopen", "nobody has asked for it: one person gives the reason, another confirms")
        if last.reopening_by == actor:
            return CloseRefused("bill.second", f"{actor} asked for it: another person confirms")
        return _changed(batch, msgspec.structs.replace(last, state=REOPENED, reopened_by=actor))


def _changed(batch: Batch, close: Close) -> Close:
    """Write a close as it is now, and have it proved."""
    row = close.row()
    names = [column.name for column in bill_closes.columns]
    batch.connection.execute(
        update(bill_closes).where(bill_closes.c.id == close.id).values(dict(zip(names[1:], row[1:], strict=True)))
    )
    batch.prove(bill_closes, row)
    return close


def _replaced(connection: Connection, close: Close, low: int, high: int) -> dict[int, Row[Any]]:
    """Return the bills that lines have of this month already, by their identifiers: where it was reopened.

    They are asked for by their lines alone: a database without statistics would take the index by series, and read all of it.
    """
    if not close.revision:
        return {}
    rows = connection.execute(select(bills).where(bills.c.subscriber_id.between(low, high)))
    return {row.id: row for row in rows if row.series == BILL and row.period == close.period}


def not_empty(drafts: Iterable[Draft]) -> list[Draft]:
    """Leave out lines of which there is nothing to tell."""
    return [draft for draft in drafts if draft.currency]
