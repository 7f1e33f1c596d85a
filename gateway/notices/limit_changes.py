"""What customers decide about their limits: set, changed or removed at any time, passed only where they agree to it.

Each decision is a row for ever, with its time, its channel and the version of what the customer was asked; the customer gets it
confirmed in writing (Communications Act 2003 s.124S (3), (5), (7)).
"""

from typing import ClassVar, Final

import msgspec
from sqlalchemy import Connection, select

from gateway.balance.changes import Change, SubscriberUnknown
from gateway.balance.spending import ABROAD, AGREED, BILL, NO_LIMIT, REMOVED, SET, Spending, decode, month_of, period_of
from gateway.balance.wallets import Wallet
from gateway.charging.credit_control import ChargingPolicy
from gateway.events.times import rfc3339
from gateway.ledger.money import format_amount
from gateway.messaging.keywords.amounts import Money
from gateway.notices.kinds import NoticeKind
from gateway.notices.sending import NoticeSender
from gateway.notices.wording import Month, Value
from gateway.store import tables
from gateway.store.batch import Batch

_TOLD: Final = {
    BILL: (NoticeKind.BILL_LIMIT_LIKELY, NoticeKind.BILL_LIMIT_REACHED),
    ABROAD: (NoticeKind.CAP_ABROAD_LIKELY, NoticeKind.CAP_ABROAD_REACHED),
}
"""The notices after which a customer may agree that a limit is passed."""


class LimitRefused(ValueError):
    """A decision that cannot be taken so; `code` is stable."""

    def __init__(self, code: str, detail: str) -> None:
        """Take the code and the sentence."""
        super().__init__(detail)
        self.code = code


class LimitShown(msgspec.Struct, frozen=True):
    """A line's limits and what was charged against them this month (micro-units); NO_LIMIT where there is none."""

    subscriber_id: int
    currency: str
    period: str
    limit: int
    charged: int
    agreed: bool
    cap_abroad: int
    charged_abroad: int
    cap_agreed: bool
    barred: bool


def shown(subscriber_id: int, currency: str, spending: Spending, month: int, cap: int) -> LimitShown:
    """Show what limits a line in a month."""
    return LimitShown(
        subscriber_id=subscriber_id,
        currency=currency,
        period=period_of(month),
        limit=spending.limit_in(month),
        charged=spending.charged_in(month),
        agreed=spending.agreed == month,
        cap_abroad=cap or NO_LIMIT,
        charged_abroad=spending.abroad if spending.month == month else 0,
        cap_agreed=spending.cap_agreed == month,
        barred=spending.barred,
    )


class _Decision(Change):
    """A customer's decision: by which channel it came, the version of what was asked, and who wrote it down."""

    channel: str
    wording: str
    actor: str

    def decide(self, batch: Batch) -> LimitShown | SubscriberUnknown | LimitRefused:
        """Keep the decision, confirm it, and show what holds from now on."""
        wallet = self._wallet(batch)
        if wallet is None:
            return SubscriberUnknown("no subscriber has this number")
        tariff = batch.policy(ChargingPolicy).tariff
        month = tariff.months.number(batch.now)
        refused = self.apply(batch, wallet, month)
        if refused is not None:
            return refused
        wallet.changed = True
        return shown(wallet.subscriber_id, wallet.currency, wallet.spending, month, tariff.cap_abroad)

    def apply(self, batch: Batch, wallet: Wallet, month: int) -> LimitRefused | None:
        """Change the wallet and write the rows."""
        raise NotImplementedError

    def keep(self, batch: Batch, wallet: Wallet, what: str, decision: str, amount: int | None, period: str) -> int:
        """Write the evidence, and give its number."""
        number = batch.take_id()
        said = (what, decision, amount, period, self.channel, self.wording, self.actor)
        batch.add(tables.bill_limits, (number, wallet.subscriber_id, batch.now, *said))
        return number

    def confirm(self, batch: Batch, wallet: Wallet, kind: NoticeKind, decision: int, **values: Value) -> None:
        """Confirm it in writing, if the line can be written to."""
        batch.policy(NoticeSender).send(batch, wallet.subscriber_id, kind, str(decision), values)


class SetBillLimit(_Decision):
    """A bill limit from now on (micro-units of the wallet's currency, 0 allowed), or none (NO_LIMIT).

    With `period` it is for that month alone, this one or one to come; else for all, those too that had one of their own.
    """

    limit: int
    period: str = ""

    def apply(self, batch: Batch, wallet: Wallet, month: int) -> LimitRefused | None:
        """Set it; what was said of the limit before does not hold for this one."""
        spending, of = wallet.spending, month_of(self.period) if self.period else month
        if of < month:
            return LimitRefused("limit.period", f"{self.period} is over: a limit is for this month, or one to come")
        if self.period:
            ahead = {each: limit for each, limit in spending.months.items() if each >= spending.month}
            spending.months = {**ahead, of: self.limit}
        else:
            spending.limit, spending.months = self.limit, {}
        if of == month:
            spending.agreed = 0
            for kind in _TOLD[BILL]:
                spending.marks.pop(kind, None)
        self._confirm(batch, wallet)
        return None

    def _confirm(self, batch: Batch, wallet: Wallet) -> None:
        """Write the evidence, and confirm it in writing."""
        is_none = self.limit < 0
        amount = None if is_none else self.limit
        number = self.keep(batch, wallet, BILL, REMOVED if is_none else SET, amount, self.period)
        values: dict[str, Value] = {} if is_none else {"limit": Money(self.limit, wallet.currency)}
        if self.period:
            kind = NoticeKind.BILL_UNLIMITED_IN_MONTH if is_none else NoticeKind.BILL_LIMIT_IN_MONTH
            values["month"] = Month(self.period)
        else:
            kind = NoticeKind.BILL_LIMIT_REMOVED if is_none else NoticeKind.BILL_LIMIT_SET
        self.confirm(batch, wallet, kind, number, **values)


class AgreeToExceed(_Decision):
    """A customer agrees that a limit (BILL or ABROAD) is passed in this month, after a notice that it is near or reached."""

    what: str

    confirmations: ClassVar[dict[str, NoticeKind]] = {
        BILL: NoticeKind.BILL_LIMIT_AGREED,
        ABROAD: NoticeKind.CAP_ABROAD_AGREED,
    }

    def apply(self, batch: Batch, wallet: Wallet, month: int) -> LimitRefused | None:
        """Let the limit be passed; refused where the customer was not told in this month that it is near."""
        spending = wallet.spending
        if not was_told(spending, self.what, month):
            named = "bill limit" if self.what == BILL else "cap abroad"
            detail = f"the customer was not told in {period_of(month)} that the {named} is near: nothing can be agreed to yet"
            return LimitRefused("limit.agreement", detail)
        if self.what == BILL:
            spending.agreed, amount = month, spending.limit_in(month)
        else:
            spending.cap_agreed, amount = month, batch.policy(ChargingPolicy).tariff.cap_abroad
        number = self.keep(batch, wallet, self.what, AGREED, amount, period_of(month))
        kind, values = self.confirmations[self.what], {"month": Month(period_of(month))}
        self.confirm(batch, wallet, kind, number, **values, limit=_money(amount, wallet), cap=_money(amount, wallet))
        return None


def was_told(spending: Spending, what: str, month: int) -> bool:
    """Return whether a customer had a notice in a month that a limit is near, or reached."""
    return any(spending.marks.get(kind) == month for kind in _TOLD[what])


def _money(amount: int, wallet: Wallet) -> Money:
    return Money(max(amount, 0), wallet.currency)


class LimitDecision(msgspec.Struct, frozen=True):
    """A decision as it is shown; amounts in major units, times RFC 3339."""

    at: str
    what: str
    decision: str
    amount: str | None
    period: str | None
    channel: str
    wording: str
    actor: str


def decisions(connection: Connection, subscriber_id: int, currency: str) -> list[LimitDecision]:
    """Return what was decided about a line's limits, the first decision first."""
    rows = tables.bill_limits
    found = select(rows).where(rows.c.subscriber_id == subscriber_id).order_by(rows.c.id)
    return [
        LimitDecision(
            at=rfc3339(row.at),
            what=row.what,
            decision=row.decision,
            amount=None if row.amount is None else format_amount(row.amount, currency),
            period=row.period or None,
            channel=row.channel,
            wording=row.wording,
            actor=row.actor,
        )
        for row in connection.execute(found)
    ]


def read_limits(connection: Connection, subscriber_id: int, month: int, cap: int) -> LimitShown:
    """Show what limits a line in a month, read from the store."""
    found = select(tables.wallets.c.currency, tables.wallets.c.spending)
    row = connection.execute(found.where(tables.wallets.c.subscriber_id == subscriber_id)).one()
    spending = decode(row.spending) if row.spending else Spending()
    return shown(subscriber_id, row.currency, spending, month, cap)
