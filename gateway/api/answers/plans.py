"""Answers about the recorded versions of plans."""

import msgspec

from gateway.balance.views import PlanVersionRow


class PlanVersions(msgspec.Struct, frozen=True):
    """The versions of a plan, oldest first."""

    rows: list[PlanVersionRow]


class RecordedPlan(msgspec.Struct, frozen=True):
    """What a version of a plan says: `content` is canonical JSON, money in micro-units."""

    plan: str
    version: int
    content: str
