"""Actions about the account that causes are paid from: what comes into it, and whether it covers what is owed."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, func, select

from gateway.api.actions.charity_months import today
from gateway.api.actions.charity_payments import campaigns_of, is_day, record_look
from gateway.api.answers.charity import CampaignRow, CampaignRows, CoverRow, CoverRows, ReceiptBooked
from gateway.api.callers import Caller
from gateway.api.problems import bad_request, conflict, not_found
from gateway.api.requests import charity as requests
from gateway.api.requests.fields import DAY_WANTED, Nothing
from gateway.charity.receipts import (
    LARGEST,
    BookReceipt,
    CampaignSums,
    Receipt,
    booked_balance,
    campaign_sums,
    identity_of,
)
from gateway.charity.remittance import Needed, needed, remittances
from gateway.context import GatewayContext
from gateway.ledger.money import AmountInvalid, format_amount, parse_payable
from gateway.store.idempotency import KeyConflict
from gateway.store.tables import charity_balances


def list_campaigns(context: GatewayContext, _request: Nothing, caller: Caller) -> CampaignRows:
    """Return each campaign what was pledged, matched, received and is owed: one may be for a single cause."""
    record_look(context, caller, "charity.matched")
    with context.reading() as connection:
        found = campaign_sums(connection)
    terms = {each.id: each for each in context.settings.charity.matching}
    rows = []
    for name in sorted(found.keys() | terms.keys()):
        known = terms.get(name)
        for sums in found.get(name) or [CampaignSums(known.currency if known else "")]:
            pledged = known.cap if known and known.currency == sums.currency else None
            rows.append(_campaign(name, known.matcher if known else "", sums, pledged))
    return CampaignRows(rows)


def _campaign(name: str, matcher: str, sums: CampaignSums, pledged: int | None) -> CampaignRow:
    return CampaignRow(
        campaign=name,
        matcher=matcher,
        currency=sums.currency,
        pledged=None if pledged is None else format_amount(pledged, sums.currency),
        matched=format_amount(sums.matched, sums.currency),
        received=format_amount(sums.received, sums.currency),
        owed=format_amount(sums.owed, sums.currency),
    )


def book_match_paid(context: GatewayContext, request: requests.BookMatchPaid, caller: Caller) -> ReceiptBooked:
    """Book what a matcher paid for a campaign; once for its reference."""
    record_look(context, caller, "charity.match-paid")
    campaigns = campaigns_of(context)
    if request.campaign not in campaigns:
        raise not_found("campaign.unknown", "campaign: there is none of this id, in the settings or in the books")
    money = (request.amount, campaigns[request.campaign])
    return _book(context, caller, request.campaign, money, request.reference, request.day, back=request.back)


def book_transfer(context: GatewayContext, request: requests.BookTransfer, caller: Caller) -> ReceiptBooked:
    """Book what the company moved into the charity account, or took out of it; once for its reference."""
    known = {account.currency for account in context.settings.charity.accounts} or {context.settings.operator.currency}
    if request.currency not in known:
        raise conflict("charity.currency", f"currency: causes are paid from accounts in {', '.join(sorted(known))}")
    money = (request.amount, request.currency)
    return _book(context, caller, "", money, request.reference, request.day, back=request.back)


def _book(
    context: GatewayContext,
    caller: Caller,
    campaign: str,
    money: tuple[str, str],
    reference: str,
    day: str,
    *,
    back: bool,
) -> ReceiptBooked:
    amount, currency = _amount(*money), money[1]
    identity = identity_of(campaign, reference)
    receipt = Receipt(identity, reference, campaign, amount, currency, _at(context, day), back)
    done = context.lane.run(BookReceipt(receipt))
    if isinstance(done, KeyConflict):
        raise conflict("charity.reference", str(done))
    if done:
        context.log("charity.account.received", {"kind": receipt.kind, "currency": currency, "by": caller.name})
    return ReceiptBooked(campaign, format_amount(amount, currency), currency, reference, repeated=not done)


def _amount(text: str, currency: str) -> int:
    try:
        amount = parse_payable(text, currency)
    except AmountInvalid as error:
        raise bad_request("charity.amount", f"amount: {error}") from None
    if amount <= 0:
        raise bad_request("charity.amount", "amount: give more than zero")
    if amount > LARGEST:
        raise bad_request("charity.amount", "amount: at most a billion; more than that is a slip of the hand")
    return amount


def _at(context: GatewayContext, day: str) -> int:
    """Return the middle of a day, or now, in UTC microseconds."""
    if not day:
        return context.clock()
    if not is_day(day) or day > today(context):
        raise bad_request("charity.day", f"day: give {DAY_WANTED}, today or before")
    zone = ZoneInfo(context.settings.operator.timezone)
    return int(datetime.combine(date.fromisoformat(day), time(12), zone).timestamp()) * 1_000_000


def show_cover(context: GatewayContext, request: requests.Cover, caller: Caller) -> CoverRows:
    """Hold what the charity account's bank said, up to the end of a day, against what is payable, instructed, or given.

    Beside it stands what the books have of the account, at the end of the day of which the bank told.
    """
    record_look(context, caller, "charity.cover")
    if not is_day(request.day):
        raise bad_request("charity.day", f"day: give {DAY_WANTED}")
    zone = ZoneInfo(context.settings.operator.timezone)
    end = _end_of_day(request.day, zone)
    with context.reading() as connection:
        wanted = needed(remittances(connection, 0, end))
        owed = _owed(campaign_sums(connection, end))
        said = _balances(connection, request.day)
        days = {request.day, *(day for day, _ in said.values())}
        booked = {day: booked_balance(connection, _end_of_day(day, zone)) for day in days}
    rows = []
    for currency in sorted(wanted.keys() | said.keys() | owed.keys() | booked[request.day].keys()):
        day, balance = said.get(currency, (request.day, None))
        sums = wanted.get(currency, Needed())
        in_books = booked[day].get(currency, 0)
        rows.append(_cover(currency, balance, day, sums, owed.get(currency, 0), in_books))
    return CoverRows(request.day, rows)


def _cover(currency: str, balance: int | None, day: str, sums: Needed, owed: int, booked: int) -> CoverRow:
    due = sums.without(owed)
    difference = None if balance is None else balance - due
    return CoverRow(
        currency=currency,
        balance=None if balance is None else format_amount(balance, currency),
        balance_day=None if balance is None else day,
        needed=format_amount(due, currency),
        difference=None if difference is None else format_amount(difference, currency),
        covered=not due if difference is None else difference >= 0,
        owed_by_matchers=format_amount(owed, currency),
        booked=format_amount(booked, currency),
        unbooked=None if balance is None else format_amount(balance - booked, currency),
    )


def _owed(campaigns: dict[str, list[CampaignSums]]) -> dict[str, int]:
    """Sum what matchers owe, by currency; what one paid ahead is no help to another."""
    sums: dict[str, int] = {}
    for found in campaigns.values():
        for each in found:
            sums[each.currency] = sums.get(each.currency, 0) + max(each.owed, 0)
    return sums


def _end_of_day(day: str, zone: ZoneInfo) -> int:
    """Return the first moment after a day, in UTC microseconds."""
    after = date.fromisoformat(day) + timedelta(days=1)
    return int(datetime.combine(after, time(), zone).timestamp()) * 1_000_000


def _balances(connection: Connection, day: str) -> dict[str, tuple[str, int]]:
    """Return what the bank said last, up to a day, by currency."""
    own = charity_balances.c
    latest = (
        select(own.currency, func.max(own.day).label("day")).where(own.day <= day).group_by(own.currency).subquery()
    )
    wanted = select(own.currency, own.day, own.amount).join(
        latest, (latest.c.currency == own.currency) & (latest.c.day == own.day)
    )
    return {row.currency: (row.day, int(row.amount)) for row in connection.execute(wanted)}
