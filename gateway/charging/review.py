"""Held reports, looked at: listed, booked as what they say, or dropped. Each decision is one unit and is made once."""

from collections import namedtuple
from collections.abc import Iterable
from typing import Any, ClassVar, Final

import msgspec
from sqlalchemy import Connection, func, select, update

from gateway.balance.line_rules import LineRules, Use
from gateway.balance.profiles import ProfileRows
from gateway.balance.wallets import Wallet, WalletRows
from gateway.charging.credit_control import ChargingPolicy
from gateway.charging.held_reports import BOOKED, DROPPED, OPEN, UNPRICED, said
from gateway.charging.quota import CreditControlRun
from gateway.charging.request import MICROSECONDS, TERMINATION, ChargingRequest, Item, Traffic, Used
from gateway.charging.session import Session, SessionRows
from gateway.events.times import rfc3339
from gateway.store.batch import Batch, RowSet, Unit
from gateway.store.known_values import unknown
from gateway.store.statements import SelectAmong
from gateway.store.tables import held_reports
from gateway.subscribers.identifier_history import IMSI, MSISDN, IdentifierRows

LARGEST: Final = (1 << 63) - 1
"""The largest number of units that a usage record can say."""


class HeldReport(msgspec.Struct, frozen=True):
    """A held report; the order of its fields is that of the interface's columns. Times are RFC 3339."""

    id: str
    state: str
    reason: str
    arrived_at: str
    event_time: str
    msisdn: str | None
    imsi: str | None
    session_id: str
    service: str
    rating_group: int | None
    octets: int | None
    seconds: int | None
    units: int | None
    peer: str
    decided_at: str | None
    decided_by: str | None
    note: str | None
    record_id: str | None


COLUMNS: Final = HeldReport.__struct_fields__


class ReviewRefused(ValueError):
    """A held report that cannot be decided so; `code` is stable, the text says why and what to do."""

    def __init__(self, code: str, detail: str) -> None:
        """Take the code and the sentence."""
        super().__init__(detail)
        self.code = code


class Decided(msgspec.Struct, frozen=True):
    """What became of a held report: its state, and the usage record and price in micro-units where it was booked."""

    state: str
    record_id: int | None = None
    price: int = 0
    currency: str = ""


def count_held(connection: Connection) -> int:
    """Count the reports that wait for a decision."""
    return int(connection.execute(select(func.count()).where(held_reports.c.state == OPEN)).scalar_one())


def read(connection: Connection, *, after: int, limit: int, decided: bool) -> list[HeldReport]:
    """Return at most `limit` held reports numbered above `after`, in the order in which they came; the open ones, or all."""
    rows = select(held_reports).where(held_reports.c.id > after).order_by(held_reports.c.id).limit(limit)
    if not decided:
        rows = rows.where(held_reports.c.state == OPEN)
    return [
        HeldReport(
            id=str(row.id),
            state=row.state,
            reason=row.reason,
            arrived_at=rfc3339(row.arrived_at),
            event_time=rfc3339(row.event_at),
            msisdn=row.msisdn,
            imsi=row.imsi,
            session_id=row.session_id,
            service=row.service,
            rating_group=row.rating_group,
            octets=_number(row.octets),
            seconds=_number(row.seconds),
            units=_number(row.units),
            peer=row.peer,
            decided_at=None if row.decided_at is None else rfc3339(row.decided_at),
            decided_by=row.decided_by or None,
            note=row.note or None,
            record_id=None if row.usage_id is None else str(row.usage_id),
        )
        for row in connection.execute(rows)
    ]


def _number(text: str) -> int | None:
    """Return what a row says, None where it says no number: no gateway wrote that, and the others are to be seen."""
    return int(text) if text.isascii() and text.isdecimal() else None


_LOAD = SelectAmong(select(held_reports), held_reports.c.id, int, lock=held_reports)
_Row = namedtuple("_Row", held_reports.c.keys())  # type: ignore[misc]  # the columns are the table's


class HeldReportRows(RowSet[int, Any]):
    """The held reports that a batch decides on, by id, locked before anything else."""

    def load(self, connection: Connection, keys: set[int]) -> None:
        """Read and lock these reports."""
        for row in _LOAD.run(connection, keys):
            self.rows[row[0]] = _Row(*row)


class _Decide(Unit):
    """A decision on one open report: who decides, and why."""

    touches: ClassVar[tuple[type, ...]] = (HeldReportRows,)

    report_id: int
    actor: str
    note: str

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:  # noqa: ARG002  (the signature of a unit)
        """Name the report."""
        return (self.report_id,) if isinstance(row_set, HeldReportRows) else ()

    def _open(self, batch: Batch) -> Any:  # noqa: ANN401  (a row)
        row = batch.row_set(HeldReportRows).get(self.report_id)
        if row is None:
            raise ReviewRefused("review.unknown", f"there is no held report {self.report_id}")
        if row.state != OPEN:
            raise ReviewRefused(
                "review.decided", f"held report {self.report_id} was {row.state} already; nothing was changed"
            )
        return row

    def _close(self, batch: Batch, decided: Decided) -> Decided:
        change = {
            "state": decided.state,
            "decided_at": batch.now,
            "decided_by": self.actor[:64],
            "note": self.note,
            "usage_id": decided.record_id,
        }
        batch.connection.execute(update(held_reports).where(held_reports.c.id == self.report_id).values(change))
        batch.row_set(HeldReportRows).rows.pop(self.report_id)  # a second decision in this batch finds it gone
        return decided


class DropReport(_Decide):
    """A report that was no usage: it is kept as evidence, and booked nowhere."""

    def decide(self, batch: Batch) -> Decided | ReviewRefused:
        """Return its new state."""
        try:
            self._open(batch)
        except ReviewRefused as refused:
            return refused
        return self._close(batch, Decided(DROPPED))


class BookReport(_Decide):
    """A report that was usage after all: charged to whom it belongs, at the price and the choice of its own time."""

    touches: ClassVar[tuple[type, ...]] = (HeldReportRows, IdentifierRows, SessionRows, WalletRows, ProfileRows)

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:
        """Name the report, then its numbers and session, then the subscriber whom they lead to."""
        if isinstance(row_set, HeldReportRows):
            return (self.report_id,)
        row = batch.row_set(HeldReportRows).get(self.report_id)
        if row is None:
            return ()
        if isinstance(row_set, IdentifierRows):
            return [number for number in (row.imsi, row.msisdn) if number]
        if isinstance(row_set, SessionRows):
            return (row.session_id,)
        owner = self._owner(batch, row)
        return () if owner is None else (owner,)

    def decide(self, batch: Batch) -> Decided | ReviewRefused:
        """Charge it, or say why it cannot be."""
        try:
            return self._book(batch, self._open(batch))
        except ReviewRefused as refused:
            return refused

    def _owner(self, batch: Batch, row: Any) -> int | None:  # noqa: ANN401  (a row)
        if row.subscriber_id is not None:
            return int(row.subscriber_id)
        lines = batch.row_set(IdentifierRows)
        by_imsi = lines.owner(IMSI, row.imsi, row.event_at) if row.imsi else None
        if by_imsi is not None or row.imsi or not row.msisdn:
            return by_imsi
        return lines.owner(MSISDN, row.msisdn, row.event_at)

    def _book(self, batch: Batch, row: Any) -> Decided:  # noqa: ANN401  (a row)
        found = said(row)
        if isinstance(found, str):
            raise ReviewRefused("review.unknown_value", unknown(found, "held_reports", row.id))
        used, traffic = found
        if max(used.octets, used.seconds, used.units) > LARGEST:
            raise ReviewRefused("review.size", "it reports more than a record can say: nobody used that; drop it")
        if row.reason == UNPRICED:
            raise ReviewRefused("review.price", "it counts in units that have no price: it would cost nothing; drop it")
        owner = self._owner(batch, row)
        wallet = batch.row_set(WalletRows).get(owner) if owner is not None else None
        profile = batch.row_set(ProfileRows).get(owner) if owner is not None else None
        if wallet is None or profile is None:
            raise ReviewRefused("review.subscriber", "nobody has its numbers: bring the line in first, or drop it")
        request = _request(row, used, traffic, batch.now)
        policy = batch.policy(ChargingPolicy)
        plan = policy.tariff.plan_of(profile, request.as_of)
        if plan is None or plan.currency != wallet.currency:
            raise ReviewRefused("review.price", "the subscriber's plan has no price: put the plan back, or drop it")
        session = self._session(batch, row, request, wallet)
        case = CreditControlRun(request, session, wallet, profile, plan, policy.tariff, batch.now, batch.take_id)
        (item,) = request.items
        case.sell_bundle([(item, (used,))])
        case.charge(item, (used,))
        session.changed = not session.fresh
        policy.book(batch, case.entries, case.usage, case.grants)
        (record,) = case.usage
        use = Use(request.service, record.price, limited=case.limited)
        batch.policy(LineRules).after_use(batch, wallet, profile, use)
        return self._close(batch, Decided(BOOKED, record.id, record.price, record.currency))

    def _session(self, batch: Batch, row: Any, request: ChargingRequest, wallet: Wallet) -> Session:  # noqa: ANN401  (a row)
        """Return the report's own session, so that its price goes on from what was used there; else one that nobody keeps."""
        session = batch.row_set(SessionRows).get(row.session_id)
        if session is not None and (session.subscriber_id, session.service) == (wallet.subscriber_id, row.service):
            return session
        return Session(
            id=0,
            session_id=row.session_id,
            subscriber_id=wallet.subscriber_id,
            node=batch.node.id,
            peer=row.peer,
            origin_host=row.origin_host,
            service=row.service,
            opened_at=request.event_at,
            updated_at=batch.now,
            expires_at=0,
            closed_at=batch.now,
            reserved=0,
            groups={},
            terminated=True,
            fresh=True,
        )


def _request(row: Any, used: Used, traffic: Traffic, now: int) -> ChargingRequest:  # noqa: ANN401  (a row)
    """Return the report as a request that only reports it, at its own time."""
    return ChargingRequest(
        session_id=row.session_id,
        origin_host=row.origin_host,
        peer=row.peer,
        request_type=TERMINATION,
        request_number=row.request_number,
        service=row.service,
        event_at=row.event_at,
        as_of=max(row.event_at, min(row.event_at + MICROSECONDS - 1, now)),
        imsi=row.imsi,
        msisdn=row.msisdn,
        items=(Item(row.rating_group, (), (used,), None),),
        digest=0,
        inconsistent=False,
        traffic=traffic,
    )
