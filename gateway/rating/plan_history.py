"""What plans were before a reload: usage has the price of its own time, also where its report comes later."""

from collections.abc import Mapping

from gateway.rating.plans import Plan

LATE_US = 48 * 3600 * 1_000_000
"""A report may be this late (microseconds) and count at its own time."""
EarlierPlans = Mapping[str, tuple[tuple[int, Plan], ...]]
"""By plan id, what the plan was until a time (microseconds), the oldest first."""


def superseded(earlier: EarlierPlans, old: Mapping[str, Plan], new: Mapping[str, Plan], now: int) -> EarlierPlans:
    """Add the plans that are not the same any more from `now` on; those that no report can be so late for go."""
    found = {
        plan_id: tuple((until, plan) for until, plan in versions if until > now - LATE_US)
        for plan_id, versions in earlier.items()
    }
    for plan_id, plan in old.items():
        if new.get(plan_id) != plan:
            found[plan_id] = (*found.get(plan_id, ()), (now, plan))
    return {plan_id: versions for plan_id, versions in found.items() if versions}


def plan_at(plans: Mapping[str, Plan], earlier: EarlierPlans, plan_id: str, at: int) -> Plan | None:
    """Give a plan as it was at a time (microseconds); None where there was none."""
    for until, plan in earlier.get(plan_id, ()):
        if at < until:
            return plan
    return plans.get(plan_id)
