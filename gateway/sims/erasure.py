"""Erasing a customer whose line has ended (UK GDPR article 17): who it was is forgotten, the books stay with the opaque id.

What names a person goes: numbers, choices of causes, texts, notices, sessions, orders, questions, what a number said STOP to.
What the law has the operator keep (Companies Act 2006 s.388, VAT) stays as it was booked: journal, usage, payments, allowances,
decisions about limits, and their proofs; gifts on which Gift Aid is claimed, and the declarations to them, sealed, for as long
as tax law asks for them (balance.gift_erasure). Nothing is left that leads from these to a number.
"""

from collections.abc import Iterable
from typing import Any, ClassVar, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, Delete, Table, Update, and_, delete, func, or_, select, update

from gateway.balance.gift_erasure import forget_gifts
from gateway.balance.wallets import Wallet, WalletRows
from gateway.charging.held_reports import FORGOTTEN_SESSION
from gateway.sims.policy import SimsPolicy
from gateway.store import tables
from gateway.store.batch import Batch, RowSet, Unit
from gateway.store.evidence import DAY_US
from gateway.store.releases import release_choices
from gateway.subscribers.history import ERASED, NUMBER, record
from gateway.subscribers.identifier_history import ICCID, MSISDN, NOBODY
from gateway.subscribers.status import TERMINATED

UNKNOWN: Final = "-"
"""What stands in the place of a name that a column has to have."""


class ErasureRefused(ValueError):
    """Why a customer cannot be erased now; `code` is stable."""

    def __init__(self, code: str, detail: str) -> None:
        """Take the code and the sentence."""
        super().__init__(detail)
        self.code = code


class Erased(msgspec.Struct, frozen=True):
    """What was forgotten, and what tax law has us keep for a time: rows by table."""

    subscriber_id: int
    rows: dict[str, int]
    kept: dict[str, int]


class EraseSubscriber(Unit):
    """Forget who a customer was; `texts` are those that were sent to or by it, looked for before (`texts_of`)."""

    alone: ClassVar[bool] = True
    touches: ClassVar[tuple[type, ...]] = (WalletRows,)

    subscriber_id: int
    texts: list[int]
    actor: str
    reason: str

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:  # noqa: ARG002  (as units have it)
        """Name the wallet."""
        return (self.subscriber_id,)

    def decide(self, batch: Batch) -> Erased | ErasureRefused:
        """Forget, and write down when and by whom."""
        refused = _refusal(batch, self.subscriber_id, batch.row_set(WalletRows).get(self.subscriber_id))
        if refused is not None:
            return refused
        connection = batch.connection
        numbers, cards = _numbers_of(connection, self.subscriber_id)
        rows = {"choices": release_choices(batch, self.subscriber_id)}
        for table, statement in (*self._deletions(connection, numbers, cards), *self._changes()):
            rows[table.name] = rows.get(table.name, 0) + connection.execute(statement).rowcount
        rows["lines"] = _let_go(batch, self.subscriber_id)
        of_gifts = forget_gifts(batch, self.subscriber_id)
        rows |= of_gifts.gone
        batch.add(tables.erasures, (batch.take_id(), batch.now, self.subscriber_id, self.actor, self.reason))
        record(batch, self.subscriber_id, ERASED, ("", ""), self.actor, self.reason)
        kept = {table: count for table, count in of_gifts.kept.items() if count}
        return Erased(self.subscriber_id, {table: count for table, count in rows.items() if count}, kept)

    def _deletions(self, connection: Connection, numbers: list[str], cards: list[str]) -> list[tuple[Table, Delete]]:
        own, t = self.subscriber_id, tables
        closed = select(t.sessions.c.id).where(t.sessions.c.subscriber_id == own)
        free = _free(connection, numbers)
        texts, either = self.texts, or_(t.segments.c.source.in_(free), t.segments.c.destination.in_(free))
        which: list[tuple[Table, ColumnElement[bool]]] = [
            (t.answers, t.answers.c.session.in_(closed)),
            (t.sessions, t.sessions.c.subscriber_id == own),
            (t.awaited_receipts, t.awaited_receipts.c.text_id.in_(texts)),
            (t.texts, t.texts.c.id.in_(texts)),
            (t.notices, t.notices.c.subscriber_id == own),
            (t.preferences, t.preferences.c.subscriber_id == own),
            (t.orders, and_(t.orders.c.iccid.in_(cards), t.orders.c.open == 0)),
            (t.questions, or_(t.questions.c.subscriber_id == own, t.questions.c.msisdn.in_(free))),
            (t.opt_outs, t.opt_outs.c.msisdn.in_(free)),
            (t.arrivals, t.arrivals.c.source.in_(free)),
            (t.early_receipts, t.early_receipts.c.destination.in_(free)),
            (t.segments, either),
        ]
        return [(table, delete(table).where(condition)) for table, condition in which]

    def _changes(self) -> list[tuple[Table, Update]]:
        own, t = self.subscriber_id, tables
        held, history = t.held_reports, t.subscriber_history
        nobody = {"imsi": None, "msisdn": None, "session_id": FORGOTTEN_SESSION, "note": ""}
        numbered = and_(history.c.subscriber_id == own, history.c.change == NUMBER)
        return [
            (t.sims, update(t.sims).where(t.sims.c.subscriber_id == own).values(subscriber_id=None, msisdn=None)),
            (held, update(held).where(held.c.subscriber_id == own).values(nobody)),
            (t.fraud_cases, update(t.fraud_cases).where(t.fraud_cases.c.subscriber_id == own).values(note="")),
            (history, update(history).where(numbered).values(before="", after="")),
            (history, update(history).where(history.c.subscriber_id == own).values(reason=UNKNOWN)),
        ]


def texts_of(connection: Connection, subscriber_id: int) -> list[int]:
    """Find the texts that a customer paid for, was sent as notices, or sent or got by its numbers while it had them."""
    texts, lines, notices = tables.texts, tables.lines, tables.notices
    found = set(connection.scalars(select(texts.c.id).where(texts.c.payer == subscriber_id, texts.c.final == 1)))
    found |= set(connection.scalars(select(notices.c.id).where(notices.c.subscriber_id == subscriber_id)))
    own = (lines.c.subscriber_id == subscriber_id, lines.c.kind == MSISDN)
    then = and_(
        or_(texts.c.destination == lines.c.value, texts.c.source == lines.c.value),
        texts.c.created_at >= lines.c.valid_from,
        texts.c.created_at < func.coalesce(lines.c.valid_to, 1 << 62),
    )
    met = select(texts.c.id).join_from(texts, lines, then).where(*own, texts.c.final == 1)
    return sorted(found | set(connection.scalars(met)))


def ended_lines(connection: Connection, number: str) -> list[int]:
    """Return the customers whose line has ended and who had a number, or the one of this id."""
    subscribers, lines = tables.subscribers, tables.lines
    had = select(lines.c.subscriber_id).where(lines.c.value == number)
    named: ColumnElement[bool] = subscribers.c.id.in_(had)
    if number.isascii() and number.isdigit() and int(number) < 1 << 62:
        named = or_(named, subscribers.c.id == int(number))
    found = select(subscribers.c.id).where(named, subscribers.c.status == TERMINATED)
    return list(connection.scalars(found.order_by(subscribers.c.id)))


def _refusal(batch: Batch, subscriber_id: int, wallet: Wallet | None) -> ErasureRefused | None:
    """Say what still needs to know the customer."""
    connection, t = batch.connection, tables
    if wallet is None or wallet.status != TERMINATED:
        return ErasureRefused("erasure.line", "the line has not ended: terminate it first")
    erased = select(t.erasures.c.id).where(t.erasures.c.subscriber_id == subscriber_id)
    _, cards = _numbers_of(connection, subscriber_id)
    for code, what, rows in (
        ("erasure.done", "the customer was erased already", erased),
        ("erasure.session", "a session is open: wait for its end", select(t.sessions.c.id).where(
            t.sessions.c.subscriber_id == subscriber_id, t.sessions.c.closed_at.is_(None))),
        ("erasure.order", "an order for the card is open: wait, or cancel it", select(t.orders.c.id).where(
            t.orders.c.iccid.in_(cards), t.orders.c.open == 1)),
        ("erasure.review", "a held report waits for somebody: book or drop it", select(t.held_reports.c.id).where(
            t.held_reports.c.subscriber_id == subscriber_id, t.held_reports.c.state == "open")),
        ("erasure.text", "a text is on its way: wait for its end", select(t.texts.c.id).where(
            t.texts.c.payer == subscriber_id, t.texts.c.final == 0)),
    ):  # fmt: skip
        if connection.execute(rows.limit(1)).first() is not None:
            return ErasureRefused(code, what)
    if wallet.balance or wallet.reserved:
        return ErasureRefused(
            "erasure.balance", "the wallet is not settled: what is left has to be paid out or written off"
        )
    return None


def _numbers_of(connection: Connection, subscriber_id: int) -> tuple[list[str], list[str]]:
    """Return the MSISDNs and the cards that a customer had."""
    lines = tables.lines
    rows = connection.execute(select(lines.c.kind, lines.c.value).where(lines.c.subscriber_id == subscriber_id)).all()
    return [value for kind, value in rows if kind == MSISDN], [value for kind, value in rows if kind == ICCID]


def _free(connection: Connection, numbers: list[str]) -> list[str]:
    """Return those of some numbers that nobody has now."""
    lines = tables.lines
    taken = select(lines.c.value).where(lines.c.value.in_(numbers), lines.c.valid_to.is_(None))
    return sorted(set(numbers) - set(connection.scalars(taken)))


def _let_go(batch: Batch, subscriber_id: int) -> int:
    """Forget whose the numbers were. One in quarantine stays there, until a whole day: no moment leads back to the line."""
    lines = tables.lines
    quarantined = (lines.c.kind == MSISDN, lines.c.valid_to + batch.policy(SimsPolicy).quarantine > batch.now)
    own = lines.c.subscriber_id == subscriber_id
    until = (lines.c.valid_to // DAY_US + 1) * DAY_US
    kept = update(lines).where(own, *quarantined)
    count = batch.connection.execute(kept.values(subscriber_id=NOBODY, valid_from=until, valid_to=until)).rowcount
    return count + batch.connection.execute(delete(lines).where(own)).rowcount
