"""The versions of a plan as people ask for them: from when on each was in force, and how many lines are charged by it."""

from collections import Counter

from sqlalchemy import Connection, and_, func, select

from gateway.balance.views import PlanVersionRow
from gateway.events.times import rfc3339
from gateway.rating.grandfathering import version_for
from gateway.rating.plan_versions import plan_of
from gateway.rating.plans import Plan
from gateway.store.tables import subscribers, subscriptions
from gateway.store.versions import PLAN, read
from gateway.subscribers.status import TERMINATED

FOR_GOOD_US = 1 << 60
"""A time that no date of a file is as late as: until then means for good."""


def versions_of(connection: Connection, name: str, now: int) -> list[PlanVersionRow]:
    """Return the versions of a plan, oldest first; none where it never was."""
    known = [each for each in read(connection, PLAN) if each.name == name]
    plans = [(each.valid_from, plan_of(each)) for each in known]
    lines = Counter(
        held.version
        for since in _subscribed(connection, name, now)
        if (held := version_for(plans, since, now)) is not None
    )
    return [
        PlanVersionRow(
            version.id,
            rfc3339(version.valid_from),
            _state(plan, is_gone=version.is_gone, is_last=version is known[-1]),
            lines[version.id],
            _until(plan),
        )
        for version, (_, plan) in zip(known, plans, strict=True)
    ]


def recorded(connection: Connection, name: str, number: int) -> Plan | None:
    """Return a plan as a version of it says; None where it has no such version, or nobody knows what that said."""
    return next((plan_of(each) for each in read(connection, PLAN) if (each.id, each.name) == (number, name)), None)


def _subscribed(connection: Connection, name: str, now: int) -> list[int]:
    """Return when the lines that stand on a plan subscribed to it."""
    s = subscriptions.c
    latest = (
        select(s.subscriber_id, func.max(s.valid_from).label("since"))
        .where(s.valid_from <= now)
        .group_by(s.subscriber_id)
        .subquery()
    )
    same = and_(s.subscriber_id == latest.c.subscriber_id, s.valid_from == latest.c.since)
    rows = select(s.valid_from).join_from(subscriptions, latest, same)
    rows = rows.join(subscribers, subscribers.c.id == s.subscriber_id)
    return list(connection.scalars(rows.where(s.plan == name, subscribers.c.status != TERMINATED)))


def _state(plan: Plan | None, *, is_gone: bool, is_last: bool) -> str:
    if is_gone:
        return "gone"
    if plan is None:
        return "unknown"
    return "in force" if is_last else "former"


def _until(plan: Plan | None) -> str | None:
    if plan is None or not plan.kept_until:
        return None
    return "for good" if plan.kept_until >= FOR_GOOD_US else rfc3339(plan.kept_until)
