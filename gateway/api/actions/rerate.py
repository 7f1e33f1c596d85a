"""The action that prices usage anew, a page at a time: of sessions, of lines with caps, or of sales of a plan."""

from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from gateway.api.answers.usage import UsageRerated
from gateway.api.callers import Caller
from gateway.api.problems import bad_request
from gateway.api.requests.usage import RerateUsage
from gateway.charging.credit_control import ChargingPolicy
from gateway.charging.rerate import Left, Rerated
from gateway.charging.rerate_lines import LinePage, page_of_lines
from gateway.charging.rerate_reading import SessionPage, Wanted, page, unknown_records
from gateway.charging.rerate_sales import SalePage, page_of_sales
from gateway.context import GatewayContext
from gateway.ledger.money import format_amount
from gateway.store.errors import StoreError

UNITS = 500
"""Sessions, or sales, of one page: each page of sessions looks through the usage and the journal."""


def rerate_usage(context: GatewayContext, request: RerateUsage, caller: Caller) -> UsageRerated:
    """Price a page of sessions anew; whoever asks goes on with `next`, and may begin again at any time."""
    plans = context.policy(ChargingPolicy).tariff.plans
    plan = plans.get(request.plan)
    if plan is None or plan.version is None:
        raise bad_request("rerate.plan", f"plan: {request.plan[:32]!r} is none of {', '.join(sorted(plans))}")
    wanted = Wanted(plan.id, plan.version, request.since, caller.name, request.dry_run)
    with context.reading() as connection:
        found = _page(context, connection, wanted, request)
        is_first = not (request.after or request.sales or request.caps)
        unknown = unknown_records(connection, wanted) if is_first else 0
    together = Rerated()
    together.leave(Left.UNKNOWN, unknown)
    for result in context.run_all(found.units):
        if isinstance(result, StoreError):
            together.leave(Left.MEANWHILE)
        else:
            together.add(result)
    if together.records and not request.dry_run:
        context.log("usage.rerated", {"plan": plan.id, "records": together.records, "by": caller.name})
    return UsageRerated(
        plan=plan.id,
        version=plan.version,
        sessions=len(found.units) if isinstance(found, SessionPage) else 0,
        records=together.records,
        left=together.left,
        price_before=format_amount(together.price_before, plan.currency),
        price_after=format_amount(together.price_after, plan.currency),
        tenth_before=format_amount(together.tenth_before, plan.currency),
        tenth_after=format_amount(together.tenth_after, plan.currency),
        currency=plan.currency,
        next=found.next,
    )


def _page(
    context: GatewayContext, connection: Connection, wanted: Wanted, request: RerateUsage
) -> SessionPage | LinePage | SalePage:
    """Read a page of what is asked for."""
    if request.caps:
        zone = ZoneInfo(context.settings.operator.timezone)
        return page_of_lines(connection, wanted, after=request.after, limit=UNITS, zone=zone)
    look = page_of_sales if request.sales else page
    return look(connection, wanted, after=request.after, limit=UNITS)
