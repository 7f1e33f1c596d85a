"""`tpo usage rerate`, page after page: what came of all of them, and how far it is while it goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

import msgspec

from gateway.api.answers.usage import UsageRerated
from gateway.cli.backend import asking
from gateway.cli.output import complain
from gateway.settings import Settings

REPORT_SECONDS: Final = 5.0
"""How often a line tells how far it is."""
SUMS: Final = ("price_before", "price_after", "tenth_before", "tenth_after")


class Rerating(msgspec.Struct):
    """What came of it; amounts are decimal strings in major units, `left` counts what stayed as it is, by reason."""

    plan: str
    version: int
    dry_run: bool
    sessions: int
    records: int
    left: dict[str, int]
    price_before: str
    price_after: str
    tenth_before: str
    tenth_after: str
    currency: str


def rerate_all(
    settings: Settings, wanted: Mapping[str, object], *, clock: Callable[[], float] = time.monotonic
) -> Rerating:
    """Ask for one page after the other until the last, and add up what came of them."""
    result: Rerating | None = None
    told_at = clock()
    with asking(settings) as ask:
        for of in ({}, {"caps": True}, {"sales": True}):
            after: int | None = 0
            while after is not None:
                page = ask("usage.rerate", {**wanted, **of, "after": after}, UsageRerated)
                result = _added(result, page, dry_run=bool(wanted["dry_run"]))
                after = page.next
                if clock() >= told_at + REPORT_SECONDS:
                    told_at = clock()
                    complain(f"{result.records:,} records of {result.sessions:,} sessions so far")
    assert result is not None
    return result


def _added(result: Rerating | None, page: UsageRerated, *, dry_run: bool) -> Rerating:
    found = {name: value for name, value in msgspec.structs.asdict(page).items() if name != "next"}
    if result is None:
        return Rerating(dry_run=dry_run, **found)
    result.sessions += page.sessions
    result.records += page.records
    for why, count in page.left.items():
        result.left[why] = result.left.get(why, 0) + count
    for name in SUMS:
        setattr(result, name, str(Decimal(getattr(result, name)) + Decimal(getattr(page, name))))
    return result
