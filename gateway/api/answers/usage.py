"""Answers about usage records: refunds, held reports that were decided on, records priced anew."""

import msgspec


class UsageRefunded(msgspec.Struct, frozen=True):
    """What was given back of a usage record: money in major units, and units by service; `repeated` where it was before."""

    record_id: str
    subscriber_id: str
    amount: str
    currency: str
    units: dict[str, int]
    repeated: bool


class HeldReportDecided(msgspec.Struct, frozen=True):
    """What became of a held report: the usage record and its price in major units where it was booked."""

    id: str
    state: str
    record_id: str | None
    price: str | None
    currency: str | None


class UsageRerated(msgspec.Struct, frozen=True):
    """What came of a page of sessions that were priced anew; amounts in major units.

    `left` counts by reason the records that stay as they are; `next` is the `after` of the next page, None on the last.
    """

    plan: str
    version: int
    sessions: int
    records: int
    left: dict[str, int]
    price_before: str
    price_after: str
    tenth_before: str
    tenth_after: str
    currency: str
    next: int | None
