"""Plans as they are and as they were: usage has the price of its own time, also after a reload or a restart."""

from collections.abc import Mapping

import msgspec

from gateway.rating.grandfathering import Versions
from gateway.rating.plans import Plan

EarlierPlans = Mapping[str, tuple[tuple[int, Plan], ...]]
"""By plan id, what the plan was until a time (microseconds), the oldest first."""


class PlanHistory(msgspec.Struct, frozen=True):
    """Plans as they are and as they were, each with its number among the versions of the store."""

    plans: Mapping[str, Plan]
    earlier: EarlierPlans = {}
    kept: Mapping[str, Versions] = {}
    """By plan id, the versions of plans of which lines keep earlier ones."""


def plan_at(plans: Mapping[str, Plan], earlier: EarlierPlans, plan_id: str, at: int) -> Plan | None:
    """Return a plan as it was at a time (microseconds); None where there was none."""
    for until, plan in earlier.get(plan_id, ()):
        if at < until:
            return plan
    return plans.get(plan_id)
