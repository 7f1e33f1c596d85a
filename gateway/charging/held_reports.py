"""Reported units that are neither charged nor lost: they wait in a table of their own until somebody books or drops them."""

import hashlib
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, func, select
from sqlalchemy.dialects import postgresql, sqlite

from gateway.charging.request import DATA, SMS, VOICE, ChargingRequest, Traffic, Used
from gateway.store.batch import Batch
from gateway.store.tables import held_reports

OPEN, BOOKED, DROPPED = "open", "booked", "dropped"
"""States of a held report."""
EXCESS = "excess"
"""More than was granted, and more than any network carries in the time."""
UNPRICED = "unpriced"
"""It counts in units that its service has no price for, such as the seconds of a data session."""
NO_SUBSCRIBER = "no_subscriber"
"""Nobody had the numbers of the request."""
NO_PRICE = "no_price"
"""The subscriber's plan was not there, or was in another currency than the wallet."""
FOREIGN_SESSION = "foreign_session"
"""The Session-Id belongs to another Origin-Host."""
CHANGED_REPEAT = "changed_repeat"
"""A request that was answered came again with other usage: what it said first is charged."""
FORGOTTEN_SESSION: Final = "-"
"""The Session-Id of a report whose customer was erased."""
COUNT_AGAIN_US: Final = 60_000_000


class HeldReport(msgspec.Struct, frozen=True):
    """One Used-Service-Unit that was not booked: its place in the request, why, and what it says."""

    place: int
    reason: str
    rating_group: int | None
    octets: int
    seconds: int
    units: int


def said(row: Any) -> tuple[Used, Traffic] | str:  # noqa: ANN401  (a row)
    """Return the units and the traffic of a held report's row; or what of it no gateway of this version writes."""
    for name in ("octets", "seconds", "units"):
        if not (getattr(row, name).isascii() and getattr(row, name).isdecimal()):
            return f"{name} {getattr(row, name)!r}"
    if row.service not in (DATA, VOICE, SMS):
        return f"service {row.service!r}"
    if row.traffic not in set(Traffic):
        return f"traffic {row.traffic!r}"
    return Used(int(row.octets), int(row.seconds), int(row.units)), Traffic(row.traffic)


class ReviewCapacity:
    """How many reports may still be held: whoever sends what nobody can book must not fill the disk.

    The table is counted once, and again at most each minute while it is full. Used by the lane's thread alone.
    """

    def __init__(self, most: int) -> None:
        """Take the most reports that may wait for a decision."""
        self._most = most
        self._left = 0
        self._count_at = 0

    def take(self, connection: Connection, now: int) -> bool:
        """Take one place; False if there is none."""
        if self._left <= 0 and now >= self._count_at:
            waiting = select(func.count()).select_from(held_reports).where(held_reports.c.state == OPEN)
            self._left = self._most - int(connection.execute(waiting).scalar() or 0)
            self._count_at = now + COUNT_AGAIN_US
        if self._left <= 0:
            return False
        self._left -= 1
        return True


def reports_of(request: ChargingRequest, reason: str) -> list[HeldReport]:
    """Make held reports of whatever a request reports."""
    units = [(item.rating_group, used) for item in request.items for used in item.used]
    return [
        HeldReport(place, reason, rating_group, used.octets, used.seconds, used.units)
        for place, (rating_group, used) in enumerate(units)
        if used.octets or used.seconds or used.units
    ]


def hold_back(
    batch: Batch, room: ReviewCapacity, request: ChargingRequest, reports: list[HeldReport], subscriber_id: int | None
) -> bool:
    """Write held reports; one that is held already, since the client sent it again, is not held twice. False: no room."""
    connection = batch.connection
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    for report in reports:
        if not room.take(connection, batch.now):
            return False
        row = {
            "id": batch.take_id(),
            "fingerprint": _fingerprint(request, report),
            "reason": report.reason,
            "state": OPEN,
            "arrived_at": batch.now,
            "event_at": request.event_at,
            "subscriber_id": subscriber_id,
            "imsi": request.imsi,
            "msisdn": request.msisdn,
            "session_id": request.session_id,
            "origin_host": request.origin_host,
            "peer": request.peer,
            "request_type": request.request_type,
            "request_number": request.request_number,
            "service": request.service,
            "traffic": str(request.traffic or ""),
            "rating_group": report.rating_group,
            "octets": str(report.octets),
            "seconds": str(report.seconds),
            "units": str(report.units),
            "decided_at": None,
            "decided_by": "",
            "note": "",
            "usage_id": None,
        }
        connection.execute(insert(held_reports).values(row).on_conflict_do_nothing())
    return True


def _fingerprint(request: ChargingRequest, report: HeldReport) -> str:
    """Name a report by the request that brought it: the key under which a repeat is known (RFC 8506 §8.2).

    One that is held because it is not what it was has what it says in its name.
    """
    changed = (request.digest,) if report.reason == CHANGED_REPEAT else ()
    key = (request.origin_host, request.session_id, request.request_type, request.request_number)
    return fingerprint(*key, report.place, *changed)


def fingerprint(*parts: object) -> str:
    """Name a report by Origin-Host, Session-Id, CC-Request-Type and -Number, its place, and perhaps a digest."""
    return hashlib.sha256("\x1f".join(map(str, parts)).encode("utf-8", "surrogatepass")).hexdigest()
