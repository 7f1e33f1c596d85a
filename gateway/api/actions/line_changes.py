"""Actions that change the plan or number of a line: in our books alone, or by an order where a host has it."""

from gateway.api.actions.order_fields import problem_of
from gateway.api.answers.lines import LineChanged
from gateway.api.answers.subscribers import SubscriberChanges
from gateway.api.callers import Caller
from gateway.api.line_numbers import number, subscriber_of
from gateway.api.problems import bad_request, conflict, not_found
from gateway.api.requests import lines as line_requests
from gateway.api.requests.subscribers import ShowSubscriber
from gateway.balance.changes import SubscriberUnknown
from gateway.charging.plan_changes import Effective
from gateway.context import GatewayContext
from gateway.sims.subscriber_changes import Changed, ChangeNumber, ChangePlan, LineAtHost
from gateway.subscribers import history as subscriber_history
from gateway.subscribers.identifier_history import MSISDN
from provisioning.orders import OrderRefused, OrderState


def plan_unit(context: GatewayContext, request: line_requests.ChangePlan, caller: Caller) -> ChangePlan:
    """Read what is asked for a line's plan."""
    known = sorted(context.settings.plans)
    if request.plan not in known:
        raise bad_request("order.plan", f"plan: {request.plan[:32]!r} is none of {', '.join(known)}")
    line = number(request.number, context.settings.operator.country)
    effective = Effective(request.effective)
    return ChangePlan(MSISDN, line, caller.actor, request.reason, request.plan, effective)


def number_unit(context: GatewayContext, request: line_requests.ChangeNumber, caller: Caller) -> ChangeNumber:
    """Read what is asked for a line's number."""
    country = context.settings.operator.country
    line, wanted = number(request.number, country), number(request.msisdn, country)
    return ChangeNumber(MSISDN, line, caller.actor, request.reason, wanted, request.returning)


def change_plan(context: GatewayContext, request: line_requests.ChangePlan, caller: Caller) -> LineChanged:
    """Give a line another plan while the gateway stands still."""
    return _alone(context.lane.run(plan_unit(context, request, caller)))


def change_number(context: GatewayContext, request: line_requests.ChangeNumber, caller: Caller) -> LineChanged:
    """Give a line another number while the gateway stands still."""
    return _alone(context.lane.run(number_unit(context, request, caller)))


def history(context: GatewayContext, request: ShowSubscriber) -> SubscriberChanges:
    """Return the changes of a subscriber, whom any of its numbers names."""
    with context.reading() as connection:
        subscriber_id = subscriber_of(connection, request.number, context.settings.operator.country)
        return SubscriberChanges(str(subscriber_id), subscriber_history.read(connection, subscriber_id))


def told(outcome: Changed) -> LineChanged | LineAtHost:
    """Return what came of a change in our books, or that the host has to be told first; Problem where it was refused."""
    if isinstance(outcome, LineAtHost):
        return outcome
    if isinstance(outcome, SubscriberUnknown):
        raise not_found("subscriber.unknown", str(outcome))
    if isinstance(outcome, OrderRefused):
        raise problem_of(outcome)
    return LineChanged(str(outcome.subscriber_id), None, OrderState.DONE)


def _alone(outcome: Changed) -> LineChanged:
    changed = told(outcome)
    if isinstance(changed, LineAtHost):
        raise conflict("order.host", "the line's host has to be told first: start the gateway, and ask again")
    return changed
