"""Actions that book what was paid for bills: a bank's file line by line, or one payment of one bill."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import select

from gateway.api.answers.bills import BillPaid, LinePaid, LinesPaid
from gateway.api.callers import Caller
from gateway.api.problems import bad_request, conflict, not_found
from gateway.api.requests.bills import BankLineSaid, PaidLines, PayBillOnce
from gateway.balance.breakage import Lapsed, lapsed_credit
from gateway.balance.topups import Payment
from gateway.billing.bank_lines import BankPayment, Match, matches
from gateway.billing.payments import BANK, Paid, PayBill, PaymentRefused, TakeBack
from gateway.billing.series import BILL
from gateway.context import GatewayContext
from gateway.ledger.money import AmountInvalid, format_amount, parse_payable
from gateway.store.errors import StoreError
from gateway.store.idempotency import KeyConflict
from gateway.store.tables import bills

SECOND: Final = 1_000_000
NOON: Final = time(12)


def book_lines(context: GatewayContext, request: PaidLines, caller: Caller) -> LinesPaid:
    """Book the lines of a bank's file that pay a bill, or take a payment back; each once, whatever file it is in."""
    _check_accounts(context, request.lines)
    results = dict[int, LinePaid]()
    lines = dict[int, BankPayment]()
    for place, said in enumerate(request.lines):
        read = _line(context, said)
        if isinstance(read, LinePaid):
            results[place] = read
        else:
            lines[place] = read
    # What came in is booked before what was taken back is looked for: a file may have both of one payment.
    for credit in (True, False):
        results |= _booked(
            context, {place: line for place, line in lines.items() if line.credit == credit}, caller.name
        )
    return LinesPaid([results[place] for place in range(len(request.lines))])


def _check_accounts(context: GatewayContext, lines: Sequence[BankLineSaid]) -> None:
    """Refuse a file of an account that customers do not pay to: what comes into the charity account pays no bill."""
    bills_section = context.settings.bills
    if any(
        account is not None and not bills_section.is_paid_to(account) for account in {line.account for line in lines}
    ):
        raise conflict("bank.account", "file: it is of an account that bills.accounts does not have")


def _booked(context: GatewayContext, lines: dict[int, BankPayment], actor: str) -> dict[int, LinePaid]:
    """Book lines, each by its place in the file, and tell what became of each."""
    with context.reading() as connection:
        found = dict(zip(lines, matches(connection, list(lines.values())), strict=True))
        lapsed = {
            place: lapsed_credit(connection, match.channel, match.original)
            for place, match in found.items()
            if match.original
        }
    units = {
        place: _unit(lines[place], match, actor, lapsed.get(place)) for place, match in found.items() if not match.why
    }
    answers = dict(zip(units, context.run_all(units.values()), strict=True))
    return {place: _result(context, lines[place], match, answers.get(place)) for place, match in found.items()}


def _line(context: GatewayContext, said: BankLineSaid) -> BankPayment | LinePaid:
    """Read a line; what is wrong in it is a refusal of its own."""
    try:
        amount, day = parse_payable(said.amount, said.currency), date.fromisoformat(said.date)
    except (AmountInvalid, ValueError) as error:
        return LinePaid(said.reference, "refused", message=str(error))
    zone = ZoneInfo(context.settings.operator.timezone)
    at = int(datetime.combine(day, NOON, zone).astimezone(UTC).timestamp()) * SECOND
    return BankPayment(
        reference=said.reference,
        amount=amount,
        currency=said.currency,
        event_at=min(at, context.clock()),
        credit=said.credit,
        returned=said.returned,
        payer_reference=said.payer_reference,
        texts=tuple(said.texts),
    )


def _unit(line: BankPayment, match: Match, actor: str, lapsed: Lapsed | None) -> PayBill | TakeBack:
    payment = Payment(BANK, line.reference, line.amount, line.currency)
    if match.original:
        return TakeBack(payment, line.event_at, line.payer_reference, actor, match.original, match.channel, lapsed)
    return PayBill(payment, line.event_at, line.payer_reference, actor, match.subscriber_id)


def _result(context: GatewayContext, line: BankPayment, match: Match, answer: object) -> LinePaid:
    if match.why:
        return LinePaid(line.reference, "unmatched", message=match.why)
    bill = match.bill or None
    if isinstance(answer, (PaymentRefused, KeyConflict, StoreError)):
        return LinePaid(line.reference, "refused", bill, str(answer))
    if getattr(answer, "repeated", False):
        return LinePaid(line.reference, "repeated", bill)
    message = _warning(context, line.reference, match.bill, answer)
    return LinePaid(line.reference, "taken_back" if match.original else "paid", bill, message)


def _warning(context: GatewayContext, reference: str, bill: int, answer: object) -> str:
    """Say, and log, that a payment may be one that another channel told of before; empty where nothing is like it."""
    alike = answer.alike if isinstance(answer, Paid) else ""
    if not alike:
        return ""
    context.log("bill.payment.alike", {"bill": bill, "reference": reference, "alike": alike})
    return f"as much was booked a few days before by another channel, as {alike}: ask whether it is the same payment"


def pay_bill(context: GatewayContext, request: PayBillOnce, caller: Caller) -> BillPaid:
    """Book one payment of one bill."""
    try:
        amount = parse_payable(request.amount, request.currency)
    except AmountInvalid as error:
        raise bad_request("payment.invalid", str(error)) from None
    if amount <= 0:
        raise bad_request("payment.invalid", "amount: more than zero")
    subscriber_id = _payer(context, request.bill)
    payment = Payment(caller.channel, request.reference, amount, request.currency)
    result = context.lane.run(PayBill(payment, context.clock(), request.reference, caller.name, subscriber_id))
    if isinstance(result, (PaymentRefused, KeyConflict)):
        raise conflict(getattr(result, "code", "payment.reference"), str(result))
    return BillPaid(
        request.bill,
        str(result.subscriber_id),
        format_amount(result.balance, result.currency),
        result.currency,
        result.repeated,
        _warning(context, request.reference, request.bill, result),
    )


def _payer(context: GatewayContext, bill: int) -> int:
    own = bills.c
    wanted = select(own.subscriber_id).where(own.series == BILL, own.number == bill)
    found: Sequence[int] = context.read(lambda connection: connection.scalars(wanted).all())
    if not found:
        raise not_found("bill.unknown", "there is no bill of this number")
    return found[0]
