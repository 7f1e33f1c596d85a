"""Actions about Gift Aid: declarations kept, cancelled and listed, and the schedule for one charity."""

from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from gateway.api.answers.rows import GiftAidCancelled, GiftAidDeclaration, GiftAidDeclarations, GiftAidSchedule
from gateway.api.callers import Caller, need_causes
from gateway.api.line_numbers import number, subscriber_of
from gateway.api.problems import bad_request, not_found
from gateway.api.requests import gifts as gift_requests
from gateway.api.requests.subscribers import ShowSubscriber
from gateway.balance.changes import SubscriberUnknown
from gateway.balance.gift_aid import CancelGiftAid, Declaration, DeclareGiftAid, covered, declarations_of
from gateway.charity.gift_aid import COLUMNS, MOST_BACK_DAYS, DeclarationInvalid, Person, checked, schedule
from gateway.context import GatewayContext
from gateway.events.times import rfc3339
from gateway.privacy.access import CAUSES
from gateway.subscribers.identifier_history import MSISDN

_DAY_US: Final = 86_400_000_000


def declare(context: GatewayContext, request: gift_requests.DeclareGiftAid, caller: Caller) -> GiftAidDeclaration:
    """Keep a person's declaration for gifts of a line to a cause; what it says is sealed, and not shown again."""
    line = number(request.number, context.settings.operator.country)
    _known(context, request.cause)
    person = Person(request.title, request.first_name, request.last_name, request.house, request.postcode)
    try:
        person, covers_from = checked(person), _covers_from(request.covers_from, context.clock(), _zone(context))
    except DeclarationInvalid as error:
        raise bad_request("gift-aid.invalid", str(error)) from None
    said = (request.channel, request.wording, caller.actor)
    made = context.lane.run(DeclareGiftAid(MSISDN, line, request.cause, person, covers_from, *said))
    if isinstance(made, SubscriberUnknown):
        raise not_found("subscriber.unknown", str(made))
    return _row(made)


def cancel(context: GatewayContext, request: gift_requests.CancelGiftAid) -> GiftAidCancelled:
    """End a line's declaration to a cause: gifts from now on are not covered."""
    line = number(request.number, context.settings.operator.country)
    ended = context.lane.run(CancelGiftAid(MSISDN, line, request.cause))
    if isinstance(ended, SubscriberUnknown):
        raise not_found("subscriber.unknown", str(ended))
    return GiftAidCancelled(ended > 0)


def declarations(context: GatewayContext, request: ShowSubscriber, caller: Caller) -> GiftAidDeclarations:
    """List a line's declarations; to whom and by whom, for who may see causes, and the look is noted."""
    with context.reading() as connection:
        subscriber_id = subscriber_of(connection, request.number, context.settings.operator.country)
    may_see = CAUSES in caller.rights
    if may_see:
        context.record_access(caller.name, "charity.gift-aid.list", subscriber_id)
    with context.reading() as connection:
        found = declarations_of(connection, subscriber_id, context.cause_seals if may_see else None)
    return GiftAidDeclarations([_row(each) for each in found])


def export(context: GatewayContext, request: gift_requests.ExportGiftAid, caller: Caller) -> GiftAidSchedule:
    """Return the schedule of a month for one charity, and note that it was made; it is for that charity alone."""
    need_causes(caller)
    _known(context, request.cause)
    context.record_access(caller.name, "charity.gift-aid.export")
    with context.reading() as connection:
        rows = schedule(covered(connection, request.cause, request.period, _zone(context), context.cause_seals))
    return GiftAidSchedule(request.cause, request.period, list(COLUMNS), [list(row) for row in rows])


def _known(context: GatewayContext, cause: str) -> None:
    if cause not in context.settings.causes:
        raise bad_request("gift-aid.invalid", f"cause: there is no cause {cause[:64]!r}")


def _zone(context: GatewayContext) -> ZoneInfo:
    return ZoneInfo(context.settings.operator.timezone)


def _covers_from(day: str, now: int, zone: ZoneInfo) -> int:
    """Return the time from which gifts are covered, 0 for now; a day is at most four years back, and not to come."""
    if not day:
        return 0
    try:
        at = int(datetime.combine(date.fromisoformat(day), datetime.min.time(), zone).timestamp()) * 1_000_000
    except ValueError:
        raise DeclarationInvalid("covers_from: a day, such as 2026-04-06") from None
    if not now - MOST_BACK_DAYS * _DAY_US <= at <= now:
        raise DeclarationInvalid("covers_from: at most four years ago, and not later than today")
    return at


def _row(found: Declaration) -> GiftAidDeclaration:
    details = found.details
    return GiftAidDeclaration(
        id=str(found.id),
        subscriber_id=str(found.subscriber_id),
        declared=rfc3339(found.declared_at),
        covers_from=rfc3339(found.covers_from),
        cancelled=None if found.cancelled_at is None else rfc3339(found.cancelled_at),
        channel=found.channel,
        wording=found.wording,
        cause=None if details is None else details.cause,
        name=None if details is None else f"{details.person.first_name} {details.person.last_name}",
    )
