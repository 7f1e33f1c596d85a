"""`usage.rerate`: a page of sessions whose usage is priced anew by the version of its plan that is in force."""

from gateway.api import requests
from gateway.api.answers import UsageRerated
from gateway.api.callers import Caller
from gateway.api.problems import bad_request
from gateway.charging.credit_control import ChargingPolicy
from gateway.charging.rerate import Left, Rerated
from gateway.charging.rerate_reading import Wanted, page, unknown_records
from gateway.context import GatewayContext
from gateway.ledger.money import format_amount
from gateway.store.errors import StoreError

SESSIONS = 500
"""Sessions of one page: each page looks through the usage and the journal."""


def rerate_usage(context: GatewayContext, request: requests.RerateUsage, caller: Caller) -> UsageRerated:
    """Price a page of sessions anew; whoever asks goes on with `next`, and may begin again at any time."""
    plans = context.policy(ChargingPolicy).tariff.plans
    plan = plans.get(request.plan)
    if plan is None or plan.version is None:
        raise bad_request("rerate.plan", f"plan: {request.plan[:32]!r} is none of {', '.join(sorted(plans))}")
    wanted = Wanted(plan.id, plan.version, request.since, caller.name, request.dry_run)
    with context.reading() as connection:
        found = page(connection, wanted, after=request.after, limit=SESSIONS)
        unknown = 0 if request.after else unknown_records(connection, wanted)
    together = Rerated()
    together.leave(Left.UNKNOWN, unknown)
    for unit, result in zip(found.units, context.run_all(found.units), strict=True):
        if isinstance(result, StoreError):
            together.leave(Left.MEANWHILE, len(unit.records))
        else:
            together.add(result)
    if together.records and not request.dry_run:
        context.log("usage.rerated", {"plan": plan.id, "records": together.records, "by": caller.name})
    return UsageRerated(
        plan=plan.id,
        version=plan.version,
        sessions=len(found.units),
        records=together.records,
        left=together.left,
        price_before=format_amount(together.price_before, plan.currency),
        price_after=format_amount(together.price_after, plan.currency),
        tenth_before=format_amount(together.tenth_before, plan.currency),
        tenth_after=format_amount(together.tenth_after, plan.currency),
        currency=plan.currency,
        next=found.next,
    )
