"""What the files say that decides over money, as versions in the store: recorded at each start and reload.

The store is what knows them: a price that a file has no more is still the price of what was used by it.
"""

from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection

from gateway.charity.policies import POLICIES
from gateway.rating.plan_versions import LATE_US, content_of, history, plan_if_any
from gateway.settings import Settings
from gateway.store import versions
from gateway.store.errors import StoreCorrupt
from gateway.store.versions import CAUSE, CHARGING, PLAN, POLICY, TAX, Content, Version, canonical

OPERATOR = "operator"
"""The name of the one version of charging."""


def contents_of(settings: Settings) -> list[Content]:
    """Return all that is recorded of some settings: plans, causes, taxes, the rules of the tenth, and what else decides over
    money."""
    operator = settings.operator
    charging = {"country": operator.country, "timezone": operator.timezone, "policy": settings.charity.policy}
    return [
        *map(content_of, settings.plans.values()),
        *(Content(CAUSE, cause.id, canonical(cause)) for cause in settings.causes.values()),
        *(
            Content(POLICY, policy.id, canonical(policy))
            for policy in (*POLICIES.values(), *settings.charity.later(ZoneInfo(operator.timezone)))
        ),
        *(Content(TAX, tax.id, canonical(tax)) for tax in settings.taxes.values()),
        Content(CHARGING, OPERATOR, canonical(charging)),
    ]


def record(connection: Connection, settings: Settings, now: int) -> tuple[Settings, list[int]]:
    """Record what some settings say, in force from `now` (microseconds) on.

    Gives them with the plans' history, and the numbers of the versions that are new.
    """
    new = versions.record(connection, contents_of(settings), now)
    return with_history(settings, connection, now), new


def with_history(
    settings: Settings, connection: Connection, now: int, prepared: Mapping[int, int] | None = None
) -> Settings:
    """Return settings with the history of their plans; `prepared` are versions that are about to be in force, and since when.

    Nobody is charged by a content that is not the one that was recorded: where somebody changed it in the store, that of the
    file counts if it is the same. Raises StoreCorrupt where nobody knows any more what a version was.
    """
    known = versions.read(connection, PLAN, prepared=prepared)
    wrong = versions.changed(connection, PLAN)
    if wrong:
        ours = {content.hash: content.content for content in map(content_of, settings.plans.values())}
        known = [
            msgspec.structs.replace(each, content=ours.get(wrong[each.id])) if each.id in wrong else each
            for each in known
        ]
        for each in known:
            if each.content is None and each.id in wrong and _is_of_use(each, known, now):
                what = f"version {each.id} of plan {each.name} has not the content that was recorded"
                raise StoreCorrupt(f"{what}: put it back, or restore a backup")
    return msgspec.structs.replace(settings, history=history(known, now))


def _is_of_use(version: Version, known: Sequence[Version], now: int) -> bool:
    """Return whether anybody may still be charged by a version: it is in force, was a moment ago, or lines may keep it."""
    later = [each for each in known if each.name == version.name and each.id > version.id]
    kept = (plan for each in later if (plan := plan_if_any(each)) is not None and plan.kept_until)
    return not later or later[0].valid_from > now - LATE_US or any(kept)
