"""Cases of suspected fraud: listed, and cleared by a person, once each; the line's bar goes with its last case that bars."""

from collections import namedtuple
from collections.abc import Iterable
from typing import Any, ClassVar

import msgspec
from sqlalchemy import Connection, func, select, update

from gateway.balance.wallets import WalletRows
from gateway.events.times import rfc3339
from gateway.fraud.limits import FraudKind
from gateway.fraud.line_signs import CLEARED, OPEN, mark_of, period_at
from gateway.ledger.money import format_amount
from gateway.privacy.masks import mask
from gateway.store.batch import Batch, RowSet, Unit
from gateway.store.known_values import member_of
from gateway.store.statements import SelectAmong
from gateway.store.tables import fraud_cases, lines
from gateway.subscribers.identifier_history import MSISDN


class FraudCase(msgspec.Struct, frozen=True):
    """A case as it is shown: `measured` and `threshold` are amounts in major units of `currency`, or counts without one."""

    id: str
    state: str
    kind: str
    found_at: str
    subscriber_id: str
    number: str | None
    measured: str
    threshold: str
    currency: str | None
    barred: bool
    decided_at: str | None
    decided_by: str | None
    note: str | None


class CaseRefused(ValueError):
    """A case that cannot be cleared; `code` is stable."""

    def __init__(self, code: str, detail: str) -> None:
        """Take the code and the sentence."""
        super().__init__(detail)
        self.code = code


class CaseCleared(msgspec.Struct, frozen=True):
    """Whose case was cleared, and whether the line is still barred, by another case."""

    subscriber_id: int
    still_barred: bool


_LOAD = SelectAmong(select(fraud_cases), fraud_cases.c.id, int, lock=fraud_cases)
_Row = namedtuple("_Row", fraud_cases.c.keys())  # type: ignore[misc]  # the columns are the table's


class FraudCaseRows(RowSet[int, Any]):
    """The cases that a batch decides on, by id, locked before the wallets."""

    def load(self, connection: Connection, keys: set[int]) -> None:
        """Read and lock these cases."""
        for row in _LOAD.run(connection, sorted(keys)):
            self.rows[row[0]] = _Row(*row)


class ClearCase(Unit):
    """Somebody has looked at a case: who, and why it is cleared."""

    touches: ClassVar[tuple[type, ...]] = (FraudCaseRows, WalletRows)

    case: int
    actor: str
    note: str

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:
        """Name the case, then its line's wallet."""
        if isinstance(row_set, FraudCaseRows):
            return (self.case,)
        row = batch.row_set(FraudCaseRows).get(self.case)
        return () if row is None else (row.subscriber_id,)

    def decide(self, batch: Batch) -> CaseCleared | CaseRefused:
        """Clear it; the same sign opens a new case in a later hour or day only."""
        row = batch.row_set(FraudCaseRows).get(self.case)
        if row is None:
            return CaseRefused("fraud.unknown", f"there is no case {self.case}")
        if row.state != OPEN:
            return CaseRefused("fraud.cleared", f"case {self.case} was cleared already; nothing was changed")
        kind, rows = member_of(FraudKind, row.kind, "fraud_cases", row.id), fraud_cases
        change = {"state": CLEARED, "decided_at": batch.now, "decided_by": self.actor[:64], "note": self.note}
        batch.connection.execute(update(rows).where(rows.c.id == self.case).values(change))
        batch.row_set(FraudCaseRows).rows[self.case] = row._replace(state=CLEARED)
        others = select(rows.c.id).where(
            rows.c.subscriber_id == row.subscriber_id, rows.c.state == OPEN, rows.c.barred == 1, rows.c.id != self.case
        )
        still_barred = batch.connection.execute(others.limit(1)).first() is not None
        wallet = batch.row_set(WalletRows).get(row.subscriber_id)
        if wallet is not None:
            wallet.spending.marks[mark_of(kind)] = period_at(kind, batch.now)
            wallet.spending.barred, wallet.changed = still_barred, True
        return CaseCleared(row.subscriber_id, still_barred)


def read(connection: Connection, *, after: int, limit: int, cleared: bool) -> list[FraudCase]:
    """Return at most `limit` cases numbered above `after`, in the order in which they were found; the open ones, or all."""
    rows = fraud_cases
    current = (lines.c.subscriber_id == rows.c.subscriber_id) & (lines.c.kind == MSISDN) & lines.c.valid_to.is_(None)
    found = select(rows, lines.c.value).join_from(rows, lines, current, isouter=True).where(rows.c.id > after)
    if not cleared:
        found = found.where(rows.c.state == OPEN)
    return [_case(row) for row in connection.execute(found.order_by(rows.c.id).limit(limit))]


def _case(row: Any) -> FraudCase:  # noqa: ANN401  (a row)
    def shown(value: int) -> str:
        return format_amount(value, row.currency) if row.currency else str(value)

    return FraudCase(
        id=str(row.id),
        state=row.state,
        kind=row.kind,
        found_at=rfc3339(row.found_at),
        subscriber_id=str(row.subscriber_id),
        number=mask(row.value) if row.value else None,
        measured=shown(row.measured),
        threshold=shown(row.threshold),
        currency=row.currency or None,
        barred=bool(row.barred),
        decided_at=None if row.decided_at is None else rfc3339(row.decided_at),
        decided_by=row.decided_by or None,
        note=row.note or None,
    )


class NewCase(msgspec.Struct, frozen=True):
    """A case that was found: of which line, by which limit, and whether it bars the line."""

    id: int
    subscriber_id: int
    kind: str
    barred: bool


class OpenCases(msgspec.Struct, frozen=True):
    """How many cases are open, and those that were found after one."""

    count: int
    new: list[NewCase]


def open_cases(connection: Connection, after: int) -> OpenCases:
    """Count the open cases, and give those numbered above `after`."""
    rows = fraud_cases
    count = connection.execute(select(func.count()).where(rows.c.state == OPEN)).scalar_one()
    columns = (rows.c.id, rows.c.subscriber_id, rows.c.kind, rows.c.barred)
    newer = select(*columns).where(rows.c.id > after, rows.c.state == OPEN)
    found = connection.execute(newer.order_by(rows.c.id).limit(100))
    return OpenCases(int(count), [NewCase(row.id, row.subscriber_id, row.kind, bool(row.barred)) for row in found])
