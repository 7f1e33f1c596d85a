"""Which version of a plan is a line's: the one in force, or an earlier one that it subscribed under and may keep. Pure.

A version says until when lines that subscribed before it keep what they had (`Plan.kept_until`). A customer who agrees to the
prices of today subscribes anew.
"""

from collections.abc import Sequence

from gateway.rating.plans import Plan

Versions = Sequence[tuple[int, Plan | None]]
"""A plan's versions with the time (microseconds) from which each is in force, oldest first; None where the plan was gone."""


def version_for(versions: Versions, subscribed_at: int, at: int) -> Plan | None:
    """Give the version that prices a line's use at a time, by when it subscribed; None where there is no such plan then.

    Before the first version that is known, that one counts.
    """
    if not versions:
        return None
    held = versions[0][1]
    for valid_from, plan in versions[1:]:
        if valid_from > at:
            break
        if held is None or plan is None or valid_from <= subscribed_at or at >= plan.kept_until:
            held = plan
    return held
