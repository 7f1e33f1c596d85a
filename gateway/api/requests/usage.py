"""Requests about usage records and held reports: exported, decided on, refunded, priced anew."""

from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.api.requests.fields import Limit, MaybeText, Number, Reason, Text, Time


class RefundUsage(msgspec.Struct, frozen=True):
    """A usage record by its number, to be given back, and why."""

    record_id: Text
    reason: Reason


class ExportUsage(msgspec.Struct, frozen=True):
    """Usage records above the number `after`, of events from `start` until before `end`, of one line or all."""

    after: Number = 0
    start: Time | None = None
    end: Time | None = None
    number: MaybeText = ""
    limit: Limit = None


class ListHeldReports(msgspec.Struct, frozen=True):
    """Held usage reports above the number `after`: those that wait for a decision, or `all`."""

    after: Number = 0
    all: bool = False


class DecideHeldReport(msgspec.Struct, frozen=True):
    """A held usage report to be booked or dropped, and why."""

    id: Annotated[str, Meta(min_length=1, max_length=19)]
    reason: Text


class RerateUsage(msgspec.Struct, frozen=True):
    """Usage of a plan since a time that is to be priced by the version in force, of sessions above the number `after`.

    With `caps` it is what caps count, of lines above that number; with `sales` the plan's bundles that were sold, by entries.
    """

    plan: Annotated[str, Meta(min_length=1, max_length=64)]
    since: Time
    after: Number = 0
    dry_run: bool = False
    sales: bool = False
    caps: bool = False
