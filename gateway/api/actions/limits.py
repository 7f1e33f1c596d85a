"""Actions about limits of a line, and about the notices that its customer was sent."""

from collections.abc import Sequence

from gateway.api.answers.rows import LimitView, NoticePage
from gateway.api.callers import Caller
from gateway.api.line_numbers import currency_of, number, subscriber_of
from gateway.api.problems import bad_request, conflict, not_found
from gateway.api.requests.fields import MAX_PAGE, page_size
from gateway.api.requests.lines import DecideLimit, ListNotices
from gateway.api.requests.subscribers import ShowSubscriber
from gateway.balance.changes import SubscriberUnknown
from gateway.balance.spending import ABROAD, NO_LIMIT
from gateway.charging.credit_control import ChargingPolicy
from gateway.context import GatewayContext
from gateway.ledger.money import AmountInvalid, format_amount, parse_payable
from gateway.notices import queries
from gateway.notices.limit_changes import (
    AgreeToExceed,
    LimitDecision,
    LimitRefused,
    LimitShown,
    SetBillLimit,
    decisions,
    read_limits,
)
from gateway.subscribers.identifier_history import MSISDN


def show_limit(context: GatewayContext, request: ShowSubscriber) -> LimitView:
    """Show what limits a line, what was charged this month, and every decision that its customer took."""
    tariff = context.policy(ChargingPolicy).tariff
    with context.reading() as connection:
        subscriber_id = subscriber_of(connection, request.number, context.settings.operator.country)
        shown = read_limits(connection, subscriber_id, tariff.months.number(context.clock()), tariff.cap_abroad)
        taken = decisions(connection, subscriber_id, shown.currency)
    return _view(shown, taken)


def decide_limit(context: GatewayContext, request: DecideLimit, caller: Caller) -> LimitView:
    """Keep what a customer decided about a limit."""
    line = number(request.number, context.settings.operator.country)
    said = (request.channel, request.wording, caller.actor)
    if request.amount and request.decision != "set":
        raise bad_request("limit.invalid", f"amount: is of a limit that is set, and nothing beside {request.decision}")
    if request.decision == "agreed":
        if request.period:
            raise bad_request("limit.period", "period: a customer agrees for the month that runs, and no other")
        unit: AgreeToExceed | SetBillLimit = AgreeToExceed(MSISDN, line, *said, request.what)
    else:
        if request.what == ABROAD:
            raise bad_request(
                "limit.invalid", "what: the cap abroad is the operator's; a customer may agree to pass it"
            )
        limit = _amount(request.amount, currency_of(context, line)) if request.decision == "set" else NO_LIMIT
        unit = SetBillLimit(MSISDN, line, *said, limit, request.period)
    result = context.lane.run(unit)
    if isinstance(result, SubscriberUnknown):
        raise not_found("subscriber.unknown", str(result))
    if isinstance(result, LimitRefused):
        raise conflict(result.code, str(result))
    return _view(result)


def _amount(text: str, currency: str) -> int:
    try:
        amount = parse_payable(text, currency)
    except AmountInvalid as error:
        raise bad_request("limit.invalid", f"amount: {error}") from None
    if amount < 0:
        raise bad_request("limit.invalid", "amount: a limit is not negative; 0 is one")
    return amount


def _view(shown: LimitShown, taken: Sequence[LimitDecision] = ()) -> LimitView:
    def money(micro: int) -> str | None:
        return None if micro < 0 else format_amount(micro, shown.currency)

    return LimitView(
        subscriber_id=str(shown.subscriber_id),
        currency=shown.currency,
        period=shown.period,
        limit=money(shown.limit),
        charged=format_amount(shown.charged, shown.currency),
        agreed=shown.agreed,
        cap_abroad=money(shown.cap_abroad),
        charged_abroad=format_amount(shown.charged_abroad, shown.currency),
        cap_agreed=shown.cap_agreed,
        barred=shown.barred,
        decisions=list(taken),
    )


def list_notices(context: GatewayContext, request: ListNotices) -> NoticePage:
    """Return a page of the notices that customers were sent; numbers are masked."""
    limit = page_size(request.limit, 100, MAX_PAGE)
    with context.reading() as connection:
        subscriber_id = None
        if request.number:
            subscriber_id = subscriber_of(connection, request.number, context.settings.operator.country)
        found = {"after": request.after, "limit": limit}
        rows = queries.read(connection, **found, subscriber_id=subscriber_id, kind=request.kind)
    return NoticePage(rows, int(rows[-1].id) if len(rows) == limit else None)
