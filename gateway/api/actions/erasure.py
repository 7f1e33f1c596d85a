"""The action that erases a customer whose line has ended."""

from gateway.api.answers.subscribers import SubscriberErased
from gateway.api.callers import Caller
from gateway.api.line_numbers import named
from gateway.api.problems import conflict, not_found
from gateway.api.requests.subscribers import EraseSubscriber as Wanted
from gateway.context import GatewayContext
from gateway.sims.erasure import EraseSubscriber, ErasureRefused, ended_lines, texts_of


def erase(context: GatewayContext, request: Wanted, caller: Caller) -> SubscriberErased:
    """Forget who a customer was whose line has ended."""
    number = named(request.subscriber, context.settings.operator.country)
    with context.reading() as connection:
        found = ended_lines(connection, number)
        texts = texts_of(connection, found[0]) if len(found) == 1 else []
    if not found:
        raise not_found("erasure.unknown", "no customer whose line has ended has this id, or had this number")
    if len(found) > 1:
        ids = ", ".join(map(str, found))
        raise conflict("erasure.several", f"several customers had this number: give the id of one of them: {ids}")
    outcome = context.lane.run(EraseSubscriber(found[0], texts, caller.actor, request.reason))
    if isinstance(outcome, ErasureRefused):
        raise conflict(outcome.code, str(outcome))
    context.log("subscriber.erased", {"by": caller.name, "rows": sum(outcome.rows.values())})
    return SubscriberErased(str(outcome.subscriber_id), outcome.rows, outcome.kept)
