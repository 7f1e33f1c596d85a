"""Actions about gifts: given, taken back while they are held, and listed."""

from gateway.api.answers.rows import GiftAnswer, GiftRow, Gifts
from gateway.api.callers import Caller
from gateway.api.line_numbers import number, subscriber_of
from gateway.api.problems import bad_request, conflict, not_found
from gateway.api.requests.fields import identifier
from gateway.api.requests.gifts import GiveGift, NamedGift
from gateway.api.requests.subscribers import ShowSubscriber
from gateway.balance.changes import SubscriberUnknown
from gateway.balance.gift_units import GiftTold, MakeGift, WithdrawGift
from gateway.balance.gifts import Gift, GiftRefused, gifts_of
from gateway.context import GatewayContext
from gateway.events.times import rfc3339
from gateway.ledger.money import AmountInvalid, format_amount, parse_payable
from gateway.privacy.access import CAUSES
from gateway.store.idempotency import KeyConflict
from gateway.subscribers.identifier_history import MSISDN


def give(context: GatewayContext, request: GiveGift, caller: Caller) -> GiftAnswer:
    """Hold a gift for a cause, to be made when its giver can no more take it back; once for a channel's reference."""
    line = number(request.number, context.settings.operator.country)
    try:
        amount = parse_payable(request.amount, request.currency)
    except AmountInvalid as error:
        raise bad_request("gift.invalid", f"amount: {error}") from None
    asked = (request.cause, amount, request.currency, caller.channel, request.reference)
    told = _told(context.lane.run(MakeGift(MSISDN, line, *asked)))
    return GiftAnswer(_row(told.gift, cause=request.cause), told.repeated)


def withdraw(context: GatewayContext, request: NamedGift) -> GiftAnswer:
    """Take back a gift that is held."""
    line = number(request.number, context.settings.operator.country)
    gift = identifier(request.gift)
    if gift is None:
        raise not_found("gift.unknown", "gift: give the number that `tpo subscriber gifts` shows")
    told = _told(context.lane.run(WithdrawGift(MSISDN, line, gift)))
    return GiftAnswer(_row(told.gift, cause=None), told.repeated)


def gifts(context: GatewayContext, request: ShowSubscriber, caller: Caller) -> Gifts:
    """List a line's gifts; to which causes, for who may see that, and the look is noted."""
    with context.reading() as connection:
        subscriber_id = subscriber_of(connection, request.number, context.settings.operator.country)
    may_see = CAUSES in caller.rights
    if may_see:
        context.record_access(caller.name, "subscriber.gifts", subscriber_id)
    with context.reading() as connection:
        found = gifts_of(connection, subscriber_id, context.cause_seals if may_see else None)
    return Gifts([_row(each, cause=each.cause if may_see else None) for each in found])


def _told(outcome: GiftTold | SubscriberUnknown | GiftRefused | KeyConflict) -> GiftTold:
    if isinstance(outcome, SubscriberUnknown):
        raise not_found("subscriber.unknown", str(outcome))
    if isinstance(outcome, GiftRefused):
        raise (not_found if outcome.code == "gift.unknown" else conflict)(outcome.code, str(outcome))
    if isinstance(outcome, KeyConflict):
        raise conflict("gift.reference", str(outcome))
    return outcome


def _row(gift: Gift, cause: str | None) -> GiftRow:
    return GiftRow(
        id=str(gift.id),
        state=str(gift.state),
        amount=format_amount(gift.amount, gift.currency),
        fee=format_amount(0, gift.currency),
        currency=gift.currency,
        made=rfc3339(gift.made_at),
        due=rfc3339(gift.due_at),
        done=None if gift.done_at is None else rfc3339(gift.done_at),
        cause=cause,
    )
