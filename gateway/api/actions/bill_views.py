"""Bills and closes as JSON has them: money in major units, times in UTC."""

from collections.abc import Mapping

from msgspec.structs import asdict

from gateway.api.answers.bills import (
    BillView,
    CauseOfBill,
    CloseSums,
    CloseView,
    ItemView,
    LineView,
    OverdueRow,
    TaxView,
    YearMonth,
)
from gateway.billing.cuts import Close
from gateway.billing.dunning_job import Due
from gateway.billing.references import reference_of
from gateway.billing.statement import Bill, BillItem
from gateway.charity.choices import Share
from gateway.events.times import Timestamp, rfc3339
from gateway.ledger.money import format_amount
from gateway.privacy.masks import mask


def close_view(close: Close) -> CloseView:
    """Write a close."""
    sums = [
        CloseSums(
            currency,
            format_amount(each.minor, currency),
            format_amount(each.due, currency),
            format_amount(each.given, currency),
        )
        for currency, each in sorted(close.sums.items())
    ]
    return CloseView(
        period=close.period,
        revision=close.revision,
        state=close.state,
        bills=close.bills,
        credit_notes=close.credit_notes,
        sums=sums,
        begun_at=rfc3339(close.begun_at),
        begun_by=close.begun_by,
        closed_at=None if close.closed_at is None else rfc3339(close.closed_at),
        reopening_by=close.reopening_by,
        reopened_by=close.reopened_by,
        reason=close.reason,
    )


def overdue_view(due: Due, numbers: Mapping[int, str]) -> OverdueRow:
    """Write how a line that owes stands."""
    account, look = due.look.account, due.look
    number = numbers.get(account.subscriber_id)

    def time(at: int | None) -> Timestamp | None:
        return None if at is None else rfc3339(at)

    return OverdueRow(
        subscriber_id=str(account.subscriber_id),
        msisdn=None if number is None else mask(number),
        state=account.state,
        since=rfc3339(account.state_at),
        bill=due.bill,
        due=format_amount(account.due, account.currency),
        outstanding=format_amount(look.outstanding, account.currency),
        overdue=format_amount(look.overdue, account.currency),
        gifts=format_amount(look.gifts, account.currency),
        currency=account.currency,
        due_at=time(account.due_at),
        next_at=time(account.next_at) if due.dunned else None,
    )


def bill_view(bill: Bill, msisdn: str) -> BillView:
    """Write a whole bill; `msisdn` is the number that it was asked for by."""

    def money(micro: int) -> str:
        return format_amount(micro, bill.currency)

    return BillView(
        series=bill.series,
        number=bill.number,
        period=bill.period,
        subscriber_id=str(bill.subscriber_id),
        msisdn=msisdn,
        issued_at=rfc3339(bill.issued_at),
        currency=bill.currency,
        plan=bill.plan,
        opening=money(bill.opening),
        closing=money(bill.closing),
        due=money(bill.due),
        due_at=None if bill.due_at is None else rfc3339(bill.due_at),
        payment_reference=reference_of(bill.number),
        final=bill.final,
        replaces=bill.replaces,
        credit_notes=list(bill.credit_notes),
        lines=[LineView(**asdict(line) | {"amount": money(line.amount)}) for line in bill.lines],
        taxes=[
            TaxView(tax.jurisdiction, tax.rate, money(tax.gross), money(tax.net), money(tax.tax)) for tax in bill.taxes
        ],
        given=money(bill.given),
        given_in_year=money(bill.given_in_year),
        gifts_in_year=money(bill.gifts_in_year),
        year=[YearMonth(month.period, money(month.charged), money(month.given)) for month in bill.year],
        items=None if bill.items is None else [_item(item, bill.currency) for item in bill.items],
        causes=None if bill.causes is None else [_share(each) for each in bill.causes],
    )


def _item(item: BillItem, currency: str) -> ItemView:
    return ItemView(**asdict(item) | {"at": rfc3339(item.at), "amount": format_amount(item.amount, currency)})


def _share(share: Share) -> CauseOfBill:
    return CauseOfBill(share.cause, f"{share.share / 100:g}")
