"""Plans as versions of the store, there and back, and their history by these."""

from collections.abc import Iterable
from typing import Final

import msgspec

from gateway.rating.grandfathering import still_kept
from gateway.rating.plan_history import PlanHistory
from gateway.rating.plans import Plan
from gateway.store.versions import PLAN, Content, Version, canonical

LATE_US: Final = 48 * 3600 * 1_000_000
"""A report may be this late (microseconds) and count at its own time."""
_decode: Final = msgspec.json.Decoder(Plan).decode


def content_of(plan: Plan) -> Content:
    """Give what the store keeps of a plan."""
    return Content(PLAN, plan.id, canonical(msgspec.structs.replace(plan, version=None)))


class ContentUnreadable(ValueError):
    """What stands for a plan's version is no plan: somebody changed it."""


def plan_of(version: Version) -> Plan | None:
    """Return the plan that a version was; None where that is not known, or where there was none. ContentUnreadable."""
    if version.content is None or version.is_gone:
        return None
    return read_content(version.content, version.id)


def plan_if_any(version: Version) -> Plan | None:
    """Return the plan that a version was; None also where its content was changed to what is no plan."""
    try:
        return plan_of(version)
    except ContentUnreadable:
        return None


def read_content(content: str, number: int) -> Plan:
    """Return the plan that a version's content says, with the version's number. ContentUnreadable."""
    try:
        return msgspec.structs.replace(_decode(content), version=number)
    except msgspec.MsgspecError as error:
        raise ContentUnreadable(f"version {number} of a plan has a content that is none: {error}") from None


def history(versions: Iterable[Version], now: int) -> PlanHistory:
    """Give the plans in force, those before them that a report may be late enough for, and those that lines keep.

    `now` is in microseconds.
    """
    plans: dict[str, Plan] = {}
    earlier: dict[str, tuple[tuple[int, Plan], ...]] = {}
    every: dict[str, list[tuple[int, Plan | None]]] = {}
    for version in versions:
        before = plans.pop(version.name, None)
        if before is not None and version.valid_from > now - LATE_US:
            earlier[version.name] = (*earlier.get(version.name, ()), (version.valid_from, before))
        plan = plan_of(version)
        if plan is not None:
            plans[version.name] = plan
        every.setdefault(version.name, []).append((version.valid_from, plan))
    kept = {name: found for name, known in every.items() if (found := still_kept(known, now - LATE_US))}
    return PlanHistory(plans, earlier, kept)
