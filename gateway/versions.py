"""What the files say that decides over money, as versions in the store: recorded at each start and reload.

The store is what knows them: a price that a file has no more is still the price of what was used by it.
"""

from collections.abc import Mapping
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection

from gateway.charity.policies import POLICIES
from gateway.rating.plan_versions import content_of, history
from gateway.settings import Settings
from gateway.store import versions
from gateway.store.versions import CAUSE, CHARGING, PLAN, POLICY, TAX, Content, canonical

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
    """Return settings with the history of their plans; `prepared` are versions that are about to be in force, and when."""
    known = versions.read(connection, PLAN, prepared=prepared)
    return msgspec.structs.replace(settings, history=history(known, now))
