"""Actions about bills: previewed, closed, listed and shown."""

from functools import partial
from zoneinfo import ZoneInfo

from msgspec.structs import replace
from sqlalchemy import select

from gateway.api.actions.bill_views import bill_view, close_view, overdue_view
from gateway.api.answers.bills import (
    BillPage,
    BillRow,
    BillShown,
    Closes,
    CloseView,
    OverduePage,
    Previewed,
    PreviewSums,
)
from gateway.api.callers import Caller, need_causes
from gateway.api.line_numbers import named, owners_of
from gateway.api.problems import bad_request, conflict, not_found
from gateway.api.requests.bills import (
    BillMonth,
    ListBills,
    ListOverdue,
    PreviewMonth,
    ReopenClosedMonth,
    ShowBill,
    ShowNote,
)
from gateway.api.requests.fields import MAX_PAGE, page_size
from gateway.balance.preferences import preferences_of
from gateway.billing import close_job
from gateway.billing.closing import CloseRefused, ReopenMonth
from gateway.billing.cuts import Close, closes
from gateway.billing.dunning_job import owing_lines
from gateway.billing.preview import AlreadyClosed, preview
from gateway.billing.series import BILL, CREDIT_NOTE
from gateway.billing.statement import Bill, bill_of, credit_note_of
from gateway.billing.taxation import awaits_taxes
from gateway.billing.text import write_text
from gateway.billing.writer import Writer
from gateway.charity.choices import at as choice_at
from gateway.charity.months import begin_of, end_of
from gateway.charity.sealed_causes import ask_choices
from gateway.context import GatewayContext
from gateway.events.times import rfc3339
from gateway.ledger.money import format_amount
from gateway.privacy.masks import mask
from gateway.store.tables import bills
from gateway.subscribers.queries import numbers_of

SECOND = 1_000_000


def close_month(context: GatewayContext, request: BillMonth, caller: Caller) -> CloseView:
    """Close a month to its end, as a command does while the gateway is stopped."""
    begun = begin_close(context, request, caller)
    due = context.settings.bills.due * SECOND
    close = close_job.run(context, begun, due, told=lambda close: context.progress("bills", close.bills))
    return close_view(close)


def begin_close(context: GatewayContext, request: BillMonth, caller: Caller) -> Close:
    """Begin to close a month, or give how far it is; Problem where it cannot be closed."""
    with context.reading() as connection:
        if awaits_taxes(connection, context.settings, request.period, _zone(context), context.clock()):
            detail = "the taxes on top of that month's charges are not booked yet: a gateway that runs does so within minutes"
            raise conflict("bill.taxes", detail)
    begun = close_job.begin(context, request.period, _end_of(context, request.period), caller.name)
    if isinstance(begun, CloseRefused):
        raise conflict(begun.code, str(begun))
    return begun


def list_closes(context: GatewayContext, _request: object) -> Closes:
    """List every close."""
    return Closes([close_view(close) for close in context.read(closes)])


def reopen_month(context: GatewayContext, request: ReopenClosedMonth, caller: Caller) -> CloseView:
    """Ask for a month to be reopened, or confirm what another person asked for."""
    if not request.confirm and not request.reason:
        raise bad_request("bill.reason", "reason: say why; or confirm what another person asked for")
    result = context.lane.run(ReopenMonth(request.period, caller.name, request.reason, request.confirm))
    if isinstance(result, CloseRefused):
        raise conflict(result.code, str(result))
    if request.confirm:
        context.log("bill.month.reopened", {"period": request.period, "by": caller.name, "asked": result.reopening_by})
    return close_view(result)


def preview_month(context: GatewayContext, request: PreviewMonth) -> Previewed:
    """Add up what a month would be billed now."""
    until, one = _end_of(context, request.period), None
    with context.reading() as connection:
        if request.number:
            one = _owners(context, request.number)[-1]
        try:
            found = preview(connection, request.period, begin_of(request.period, _zone(context)), until, one)
        except AlreadyClosed as error:
            raise conflict("bill.closed", str(error)) from None
    rows = [
        PreviewSums(section, what, currency, count, format_amount(amount, currency))
        for (section, what, currency), (count, amount) in found.sums.items()
    ]
    over = context.clock() >= until
    return Previewed(request.period, over, found.lines, rows, found.closed_first, found.has_earlier)


def show_bill(context: GatewayContext, request: ShowBill, caller: Caller) -> BillShown:
    """Return a line's bill of a month, in the form that is asked for."""
    if request.causes:
        need_causes(caller)
    bill = _find(context, request)
    if request.causes:
        context.record_access(caller.name, "bill.show", bill.subscriber_id)
        with context.reading() as connection:
            chosen = ask_choices(connection, {bill.subscriber_id})(context.cause_seals)
            before_its_end = _end_of(context, bill.period) - 1
            bill = replace(bill, causes=list(choice_at(chosen.get(bill.subscriber_id, ()), before_its_end)))
    number = named(request.number, context.settings.operator.country)
    return _shown(context, bill, number, request.format, request.language)


def show_note(context: GatewayContext, request: ShowNote) -> BillShown:
    """Return a credit note, in the form that is asked for."""
    with context.reading() as connection:
        note = credit_note_of(connection, request.note)
        numbers = {} if note is None else numbers_of(connection, [note.subscriber_id])
    if note is None:
        raise not_found("bill.unknown", "there is no credit note of this number")
    return _shown(context, note, numbers.get(note.subscriber_id, ""), request.format, request.language)


def _shown(context: GatewayContext, bill: Bill, number: str, form: str, language: str) -> BillShown:
    view = bill_view(bill, number)
    if form == "json":
        return BillShown(view)
    preferred = context.read(partial(preferences_of, subscriber_id=bill.subscriber_id)).language
    writer = Writer(language or preferred or context.settings.notices.language, _zone(context))
    names = {cause.id: cause.name for cause in context.settings.causes.values()}
    operator = context.settings.operator.name
    if form == "text":
        return BillShown(view, write_text(bill, number, writer, operator, names))
    from gateway.billing.pdf import write_pdf  # noqa: PLC0415  (fonts and pictures, which a gateway without bills needs not)

    return BillShown(view, pdf=write_pdf(bill, number, writer, operator, context.settings.bills.head, names))


def _find(context: GatewayContext, request: ShowBill) -> Bill:
    candidates = _owners(context, request.number)
    with context.reading() as connection:
        for subscriber_id in reversed(candidates):
            wanted = request.itemised
            itemised = preferences_of(connection, subscriber_id).itemised if wanted is None else wanted
            bill = bill_of(connection, subscriber_id, request.period, itemised=itemised)
            if bill is not None:
                return bill
    detail = f"there is no bill of {request.period}: nothing was used, paid or charged, or it is not closed"
    raise not_found("bill.unknown", detail)


def _owners(context: GatewayContext, number: str) -> list[int]:
    """Return who had a number, the present owner last."""
    return context.read(lambda connection: owners_of(connection, number, context.settings.operator.country))


def list_overdue(context: GatewayContext, request: ListOverdue) -> OverduePage:
    """Return a page of the lines that owe on bills; numbers are masked, and lines that have paid are left out."""
    limit = page_size(request.limit, MAX_PAGE, MAX_PAGE)
    with context.reading() as connection:
        found = owing_lines(connection, context.clock(), request.after, limit)
        numbers = numbers_of(connection, [due.look.account.subscriber_id for due in found])
    rows = [overdue_view(due, numbers) for due in found if due.look.outstanding]
    return OverduePage(rows, found[-1].look.account.subscriber_id if len(found) == limit else None)


def list_bills(context: GatewayContext, request: ListBills) -> BillPage:
    """Return a page of bills, or of credit notes; numbers are masked."""
    limit, own = page_size(request.limit, 100, MAX_PAGE), bills.c
    wanted = select(bills).where(own.series == (CREDIT_NOTE if request.notes else BILL), own.number > request.after)
    if request.period:
        wanted = wanted.where(own.period == request.period)
    if request.number:
        wanted = wanted.where(own.subscriber_id.in_(_owners(context, request.number)))
    with context.reading() as connection:
        found = connection.execute(wanted.order_by(own.number).limit(limit)).all()
        numbers = numbers_of(connection, [row.subscriber_id for row in found])
    rows = [
        BillRow(
            series=row.series,
            number=row.number,
            period=row.period,
            subscriber_id=str(row.subscriber_id),
            msisdn=mask(numbers[row.subscriber_id]) if row.subscriber_id in numbers else None,
            issued_at=rfc3339(row.at),
            opening=format_amount(row.opening, row.currency),
            closing=format_amount(row.closing, row.currency),
            due=format_amount(row.due, row.currency),
            due_at=None if row.due_at is None else rfc3339(row.due_at),
            currency=row.currency,
        )
        for row in found
    ]
    return BillPage(rows, found[-1].number if len(found) == limit else None)


def _end_of(context: GatewayContext, period: str) -> int:
    return end_of(period, _zone(context))


def _zone(context: GatewayContext) -> ZoneInfo:
    return ZoneInfo(context.settings.operator.timezone)
