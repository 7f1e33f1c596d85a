"""The versions of plans as the checks of prices need them: what each was, and when it was in force."""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection, func, select

from gateway.rating.grandfathering import version_for
from gateway.rating.plan_versions import plan_if_any
from gateway.rating.plans import Plan, Rate, caps_of
from gateway.store.tables import nodes, subscriptions
from gateway.store.versions import PLAN, Version, read

SECOND_US: Final = 1_000_000
GRACE_US: Final = 10 * SECOND_US
"""A reload takes effect a moment after its time, and an event is told to the second."""
NODES_US: Final = 24 * 3600 * SECOND_US
"""Several gateways on one store are not reloaded at once: one of them may go on so long by what was before."""


class PlanVersions:
    """Each version's plan, and the time in which it was in force."""

    def __init__(self, connection: Connection) -> None:
        """Read them."""
        several = (connection.execute(select(func.count()).select_from(nodes)).scalar() or 0) > 1
        self._grace = NODES_US if several else GRACE_US
        self._versions: dict[int, Version] = {}
        self._plans: dict[int, Plan | None] = {}
        self._by_name: dict[str, list[Version]] = {}
        for version in read(connection, PLAN):  # of one that was changed, which another check names, nothing is known
            self._versions[version.id], self._plans[version.id] = version, plan_if_any(version)
            self._by_name.setdefault(version.name, []).append(version)
        self._spans = {version.id: self._span(place, version) for places in self._by_name.values()
                       for place, version in enumerate(places)}  # fmt: skip
        self._kept = {
            name: [(each.valid_from, self._plans[each.id]) for each in found]
            for name, found in self._by_name.items()
            if any(plan is not None and plan.kept_until for plan in (self._plans[each.id] for each in found[1:]))
        }
        self._subscribed = _subscribed(connection, self._kept)

    def plan(self, version: int) -> Plan | None:
        """Return what a version was; None where it is not known."""
        return self._plans.get(version)

    def priced(self, version: int, plan: str, at: int, subscriber_id: int) -> bool:
        """Return whether what a line used at a time (microseconds) may have been priced by this version of a plan."""
        found = self._versions.get(version)
        if found is None or found.name != plan or self._plans[version] is None:
            return False
        if plan in self._kept:
            return any(version == each.version for each in self._held(plan, subscriber_id, at))
        since, until = self._spans[version]
        return since <= at < until

    def priced_anew(self, version: int, plan: str, subscriber_id: int, used_at: int, at: int) -> bool:
        """Return whether what a line used at a time may have been priced anew by this version at a later one."""
        if plan not in self._kept:
            return self.priced(version, plan, at, subscriber_id)
        return any(version == each.version for each in self._held(plan, subscriber_id, used_at, at))

    def may_cap(self, version: int, rate: Rate, service: str) -> bool:
        """Return whether a cap of the plan counts a rate, or the law limits what it comes to."""
        plan = self._plans.get(version)
        return rate.service is not None or (plan is not None and bool(caps_of(plan, rate, service)))

    def in_force(self, plan: str, at: int, subscriber_id: int) -> list[Plan] | None:
        """Return what a plan may have been for a line at a time; None where a version is not known that was in force then."""
        if plan in self._kept:
            return self._held(plan, subscriber_id, at)
        versions = [
            each for each in self._by_name.get(plan, ()) if self._spans[each.id][0] <= at < self._spans[each.id][1]
        ]
        plans = [self._plans[each.id] for each in versions if not each.is_gone]
        if not versions or any(each is None for each in plans):
            return None
        return [each for each in plans if each is not None]

    def _held(self, plan: str, subscriber_id: int, used_at: int, at: int | None = None) -> list[Plan]:
        """Return the versions that a line may have kept, or come to, at a time, give or take the grace of clocks.

        It goes by the subscription of the time of use; the version is that of another time where one is given.
        """
        begun = self._subscribed.get((subscriber_id, plan), [0])
        found: dict[int | None, Plan] = {}
        for late in (0, -self._grace, self._grace):
            since = max((each for each in begun if each <= used_at + late), default=begun[0])
            for subscribed_at in (since, since - self._grace, since + self._grace):
                held = version_for(self._kept[plan], subscribed_at, (used_at if at is None else at) + late)
                if held is not None:
                    found[held.version] = held
        return list(found.values())

    def _span(self, place: int, version: Version) -> tuple[int, int]:
        """Return the time in which it counted; the first that is known of a plan prices what was used before it, too."""
        versions = self._by_name[version.name]
        known_before = any(not each.is_gone and each.content is not None for each in versions[:place])
        begins = version.valid_from - self._grace if known_before else 0
        after = versions[place + 1].valid_from if place + 1 < len(versions) else None
        return begins, 1 << 62 if after is None else after + self._grace


def _subscribed(connection: Connection, plans: Iterable[str]) -> dict[tuple[int, str], list[int]]:
    """Return when lines subscribed to plans of which they may keep versions, by subscriber and plan, in order."""
    s, found = subscriptions.c, dict[tuple[int, str], list[int]]()
    names = list(plans)
    if names:
        wanted = select(s.subscriber_id, s.plan, s.valid_from).where(s.plan.in_(names)).order_by(s.valid_from)
        for subscriber_id, plan, valid_from in connection.execute(wanted):
            found.setdefault((subscriber_id, plan), []).append(valid_from)
    return found
