"""Which version of a plan is a line's: the one in force, or an earlier one that it subscribed under and may keep. Pure.

A version says until when lines that subscribed before it keep what they had (`Plan.kept_until`). A customer who agrees to the
prices of today subscribes anew.
"""

from collections.abc import Sequence

from gateway.rating.plans import Plan

Versions = Sequence[tuple[int, Plan | None]]
"""A plan's versions with the time (microseconds) from which each is in force, oldest first; None where the plan was gone."""


def version_for(versions: Versions, subscribed_at: int, at: int) -> Plan | None:
    """Return the version that prices a line's use at a time, by when it subscribed; None where there is no such plan then.

    Before the first version that is known, that one counts.
    """
    held, is_first = None, True
    for valid_from, plan in versions:
        if is_first:
            held, is_first = plan, plan is None
            continue
        if valid_from > at:
            break
        if held is None or plan is None or valid_from <= subscribed_at or at >= plan.kept_until:
            held = plan
    return held


def still_kept(versions: Versions, since: int) -> Versions:
    """Return the versions that some line may have from a time on, none where that is the one in force then for all of them.

    One that moved every line to itself before that time ends what came before it.
    """
    begins = 0
    for place, (valid_from, plan) in enumerate(versions):
        if valid_from <= since and plan is not None and plan.kept_until <= since:
            begins = place
    found = versions[begins:]
    is_kept = (plan is not None and plan.kept_until > max(since, valid_from) for valid_from, plan in found[1:])
    return found if any(is_kept) else ()
