"""Actions about how a customer wants to be written to: shown and changed."""

from gateway.api.answers.lines import LinePreferences
from gateway.api.callers import Caller
from gateway.api.line_numbers import number, subscriber_of
from gateway.api.problems import bad_request, not_found
from gateway.api.requests import lines as line_requests
from gateway.api.requests.subscribers import ShowSubscriber
from gateway.balance.changes import SubscriberUnknown
from gateway.balance.preferences import Preferences, SetPreferences, preferences_of
from gateway.context import GatewayContext
from gateway.subscribers.identifier_history import MSISDN


def show_preferences(context: GatewayContext, request: ShowSubscriber) -> LinePreferences:
    """Return what a customer said."""
    with context.reading() as connection:
        subscriber_id = subscriber_of(connection, request.number, context.settings.operator.country)
        return _view(subscriber_id, preferences_of(connection, subscriber_id))


def set_preferences(context: GatewayContext, request: line_requests.SetPreferences, caller: Caller) -> LinePreferences:
    """Keep what a customer says now."""
    if request.language is None and request.itemised is None:
        raise bad_request("preferences.invalid", "say what is to change: language, itemised")
    offered = context.settings.notices.offered
    if request.language and request.language not in offered:
        detail = f"language: {request.language} is none of notices.languages: {', '.join(offered)}"
        raise bad_request("preferences.invalid", detail)
    line, actor = number(request.number, context.settings.operator.country), caller.actor
    unit = SetPreferences(MSISDN, line, request.language, request.itemised, actor, request.reason)
    outcome = context.lane.run(unit)
    if isinstance(outcome, SubscriberUnknown):
        raise not_found("subscriber.unknown", str(outcome))
    return _view(outcome.subscriber_id, outcome.preferences)


def _view(subscriber_id: int, said: Preferences) -> LinePreferences:
    return LinePreferences(str(subscriber_id), said.language or None, said.itemised)
