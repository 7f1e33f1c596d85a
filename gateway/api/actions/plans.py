"""Actions about the recorded versions of plans."""

from gateway.api.answers.plans import PlanVersions, RecordedPlan
from gateway.api.problems import not_found
from gateway.api.requests.plans import NamePlan, NamePlanVersion
from gateway.balance.plan_standing import recorded, versions_of
from gateway.context import GatewayContext
from gateway.rating.plan_versions import content_of


def versions(context: GatewayContext, request: NamePlan) -> PlanVersions:
    """Return the versions of a plan, with how many lines are charged by each."""
    with context.reading() as connection:
        rows = versions_of(connection, request.plan, context.clock())
    if not rows:
        raise not_found("plan.unknown", f"there was never a plan {request.plan[:32]!r}")
    return PlanVersions(rows)


def version(context: GatewayContext, request: NamePlanVersion) -> RecordedPlan:
    """Return what a version of a plan says, as canonical JSON."""
    with context.reading() as connection:
        plan = recorded(connection, request.plan, request.version)
    if plan is None:
        raise not_found("plan.version", f"{request.plan[:32]!r} has no version {request.version} that says what it was")
    return RecordedPlan(plan.id, request.version, content_of(plan).content)
