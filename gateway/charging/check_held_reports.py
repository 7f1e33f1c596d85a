"""Held reports held against what else tells of them, for `tpo ledger check`: their requests, and the usage that they became.

A report is named by the request that brought it (`fingerprint`), and one that was booked has a usage record that says the
same. How much an open or dropped one says, nothing else knows: it is what a client told, and nobody was charged for it.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Connection, select

from gateway.charging.held_reports import BOOKED, CHANGED_REPEAT, DROPPED, FORGOTTEN_SESSION, OPEN, fingerprint, said
from gateway.ledger.checks.examined import SHOWN, Finding
from gateway.store.errors import StoreUnavailable
from gateway.store.sealed_months.parts import Part, parts, unreadable
from gateway.store.tables import held_reports, usage

CHECK: Final = "held_report"
PAGE: Final = 500
PLACES: Final = 1_000
"""Used-Service-Units of one request that are tried: a report does not say which of them it was."""
_PUT_BACK: Final = "put the row of held_reports back from a backup"


def wrong_held_reports(connection: Connection) -> Iterator[Finding]:
    """Name held reports that are not as they were held, or not as they were decided; the first few, and how many there are."""
    count = 0
    with parts(connection) as every:
        for page in _pages(connection):
            booked = _booked(every, [row.usage_id for row in page if row.state == BOOKED and row.usage_id is not None])
            for row in page:
                wrong = _wrong(row, booked)
                if wrong:
                    count += 1
                    if count <= SHOWN:
                        yield Finding(CHECK, f"held report {row.id} {wrong}: {_PUT_BACK}")
    if count > SHOWN:
        yield Finding(CHECK, f"{count} held reports in all are not as they were")


def _pages(connection: Connection) -> Iterator[Sequence[Any]]:
    """Read the reports a page at a time, in the order of their numbers."""
    last, own = None, held_reports.c.id
    while True:
        wanted = select(held_reports).order_by(own).limit(PAGE)
        page = connection.execute(wanted if last is None else wanted.where(own > last)).all()
        if page:
            yield page
        if len(page) < PAGE:
            return
        last = page[-1].id


def _booked(every: Sequence[Part], numbers: Sequence[int]) -> dict[int, Any]:
    """Read usage records by their numbers; what is past its retention is not there."""
    found: dict[int, Any] = {}
    for part in every if numbers else ():
        try:
            rows = part.connection.execute(select(usage).where(usage.c.id.in_(numbers)))
            found.update((row.id, row) for row in rows)
        except StoreUnavailable:
            if part.month is None or unreadable(part) is None:
                raise
    return found


def _wrong(row: Any, booked: dict[int, Any]) -> str:  # noqa: ANN401  (a row)
    """Say what of a report is not as it was; empty where nothing is."""
    if row.state not in (OPEN, BOOKED, DROPPED):
        return f"is {row.state}, which no report is"
    if isinstance(what := said(row), str):
        return f"has {what}, which no gateway of this version writes"
    is_decided = row.state != OPEN
    if is_decided != (row.decided_at is not None) or is_decided != bool(row.decided_by):
        return f"is {row.state}, and says otherwise of who decided it and when"
    if (row.state == BOOKED) != (row.usage_id is not None):
        return f"is {row.state}, and says otherwise of the record that it became"
    if row.session_id != FORGOTTEN_SESSION and row.reason != CHANGED_REPEAT and not _is_of_its_request(row):
        return (
            "is not of the request that it is named by: its session, host, or the request's type or number was changed"
        )
    record = booked.get(row.usage_id)
    if record is not None and _units(row) != _units(record):
        return f"is booked as record {record.id}, which says another service, time or units"
    return ""


def _is_of_its_request(row: Any) -> bool:  # noqa: ANN401  (a row)
    key = (row.origin_host, row.session_id, row.request_type, row.request_number)
    return any(fingerprint(*key, place) == row.fingerprint for place in range(PLACES))


def _units(row: Any) -> tuple[object, ...]:  # noqa: ANN401  (a row)
    return row.service, row.event_at, row.rating_group, int(row.octets), int(row.seconds), int(row.units)
