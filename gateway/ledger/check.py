"""`ledger check`: prove from the store alone that no penny is missing, doubled or miscounted.

Each check is one set-based query, for the store and for each sealed month; what goes beyond a month is added up or merged. A
finding names the first rows at fault. Nothing is repaired here.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from heapq import merge
from itertools import groupby, islice
from typing import Any

import msgspec
from sqlalchemy import Column, Connection, Select, and_, case, func, or_, select

from gateway.ledger.accounts import HIGHEST_SYSTEM
from gateway.ledger.balances import account_names, add, entry_totals
from gateway.ledger.check_evidence import wrong_evidence
from gateway.ledger.check_sealed import wrong_files, wrong_sums
from gateway.ledger.check_tenths import STREAMED, Recompute, wrong_tenths
from gateway.ledger.checks.accruals import by_recorded, changed_policies
from gateway.ledger.checks.prices import unknown_versions, wrong_prices
from gateway.ledger.checks.reratings import wrong_reratings
from gateway.ledger.checks.versions import wrong_versions
from gateway.ledger.postings import POSTINGS, Evidence, account_class, violation
from gateway.store.engine import join_whole_tables
from gateway.store.sealed_months.parts import parts
from gateway.store.tables import sessions, texts, transfers, usage, wallets

SHOWN = 5
LEAST = 1000
"""A charge of fewer micro-units, a tenth of a penny, may be shared among so many causes that each part rounds to nothing."""
Totals = Mapping[tuple[int, str], int]
"""The journal's sum by account number and currency."""


class Finding(msgspec.Struct, frozen=True):
    """Something that does not add up: which check, and what it found."""

    check: str
    detail: str


class Report(msgspec.Struct, frozen=True):
    """What was counted, and every finding; the books are right if there is none."""

    entries: int
    wallets: int
    accruals: int
    findings: list[Finding]
    unknown: dict[str, int]
    """How many records of which plan are of an unknown version: older than versions, so that their price is not checked."""


def check(connection: Connection, recompute: Recompute) -> Report:
    """Run every check on one snapshot of the store, and on the files of sealed months."""
    join_whole_tables(connection)
    recompute, program = by_recorded(connection, recompute), recompute
    with parts(connection) as found:
        sealed, readable = wrong_files(connection, found)
        findings = [Finding("sealed", detail) for detail in sealed]
        journals = [part.connection for part in readable]
        sums = [entry_totals(journal) for journal in journals]
        totals: dict[tuple[int, str], int] = {}
        for each in sums:
            add(totals, each)
        findings += [
            *(Finding("sealed", detail) for detail in wrong_sums(readable, sums)),
            *_every(_well_formed, journals),
            *_postings_allowed(connection, journals),
            *_numbered_once(connection),
            *_booked_once(journals),
            *_zero_sum(totals),
            *_wallets_match(connection, totals),
            *_given_matches(connection, journals),
            *_holds_match(connection),
            *_every(_usage_is_charged, journals),
            *(Finding("accrual", detail) for detail in islice(wrong_tenths(connection, journals, recompute), SHOWN)),
            *_every(_accruals_match, journals),
            *_every(_tenth_is_complete, journals),
            *_every(_evidence_is_there, journals),
            *(Finding(*found) for found in wrong_versions(connection, journals)),
            *(Finding(*found) for found in wrong_prices(connection, journals)),
            *(Finding(*found) for found in changed_policies(connection, program)),
            *(Finding(*found) for found in wrong_reratings(connection, journals, recompute)),
        ]
        entries, accruals = select(func.count()).select_from(transfers), transfers.c.kind == "accrual"
        return Report(
            entries=_sum(journals, entries),
            wallets=_sum([connection], select(func.count()).select_from(wallets)),
            accruals=_sum(journals, entries.where(accruals)),
            findings=findings,
            unknown=unknown_versions(journals),
        )


def _sum(connections: Iterable[Connection], count: Select[Any]) -> int:
    return sum(int(connection.execute(count).scalar_one()) for connection in connections)


def _every(look: Callable[[Connection], Iterable[Finding]], journals: Iterable[Connection]) -> Iterable[Finding]:
    """Look at each part by itself: what is numbered in one batch is never in two."""
    for journal in journals:
        yield from look(journal)


def _well_formed(connection: Connection) -> Iterable[Finding]:
    bad = (
        select(transfers.c.id).where(or_(transfers.c.amount <= 0, transfers.c.debit == transfers.c.credit)).limit(SHOWN)
    )
    for (entry,) in connection.execute(bad):
        yield Finding("entry", f"entry {entry} moves nothing, a negative amount, or from an account to itself")


def _postings_allowed(connection: Connection, journals: Iterable[Connection]) -> Iterable[Finding]:
    """Find entries of a kind, of accounts or without evidence that no row of the table of postings has.

    Entries are looked at in groups of equal shape, of which there are a few dozen however long the journal is.
    """
    names = account_names(connection)
    sides = [
        case((side < HIGHEST_SYSTEM, side), else_=HIGHEST_SYSTEM) for side in (transfers.c.debit, transfers.c.credit)
    ]
    carried = [transfers.c[evidence].is_not(None) for evidence in Evidence]
    shape = (transfers.c.kind, *sides, *carried)
    for journal in journals:
        for kind, debit, credit, *there in journal.execute(select(*shape).distinct()):
            evidence = [each for each, carries in zip(Evidence, there, strict=True) if carries]
            why = violation(kind, account_class(debit, names), account_class(credit, names), evidence)
            if why is None:
                continue
            same = [side == value for side, value in zip(sides, (debit, credit), strict=True)]
            same += [column if carries else ~column for column, carries in zip(carried, there, strict=True)]
            found = select(transfers.c.id).where(transfers.c.kind == kind, *same).order_by(transfers.c.id).limit(SHOWN)
            for (entry,) in journal.execute(found):
                yield Finding("posting", f"entry {entry} may not be booked: {why}")


def _numbered_once(connection: Connection) -> Iterable[Finding]:
    """Find numbers that two months of a server's table have; within one, and on SQLite, its primary key sees to that.

    Of sealed months each file has the numbers of its month alone (`wrong_files`).
    """
    if connection.dialect.name == "sqlite":
        return
    for table, name in ((transfers, "entry"), (usage, "record")):
        doubled = select(table.c.id).group_by(table.c.id).having(func.count() > 1).limit(SHOWN)
        for (number,) in connection.execute(doubled):
            yield Finding("number", f"{name} {number} is there more than once")


def _booked_once(journals: Sequence[Connection]) -> Iterable[Finding]:
    """Find evidence of which each value is booked once a kind, and was booked again."""
    for row in POSTINGS:
        if row.unique is None or row.unique is Evidence.USAGE:  # usage has a check of its own
            continue
        for value in islice(_doubled(journals, row.kind, transfers.c[row.unique]), SHOWN):
            yield Finding("posting", f"{row.unique} {value} is booked more than once as {row.kind}")


def _doubled(journals: Sequence[Connection], kind: str, column: Column[Any]) -> Iterator[object]:
    """Give values that entries of a kind have more than once: each journal gives its own in order, and they are merged."""
    wanted = select(column).where(transfers.c.kind == kind)
    if len(journals) == 1:
        yield from journals[0].scalars(wanted.group_by(column).having(func.count() > 1).limit(SHOWN))
        return
    ordered = wanted.where(column.is_not(None)).order_by(column)
    values = merge(*(journal.scalars(ordered.execution_options(**STREAMED)) for journal in journals))
    for value, same in groupby(values):
        if next(islice(same, 1, None), None) is not None:
            yield value


def _zero_sum(totals: Totals) -> Iterable[Finding]:
    sums: dict[str, int] = {}
    for (_, currency), amount in totals.items():
        sums[currency] = sums.get(currency, 0) + amount
    for currency, amount in sums.items():
        if amount:
            yield Finding("zero_sum", f"all accounts in {currency} add up to {amount} micro-units, not to zero")


def _wallets_match(connection: Connection, totals: Totals) -> Iterable[Finding]:
    stored = {(row.subscriber_id, row.currency): row.balance for row in connection.execute(select(wallets))}
    journal = {key: amount for key, amount in totals.items() if key[0] >= HIGHEST_SYSTEM}
    wrong = [key for key in stored.keys() | journal.keys() if stored.get(key, 0) != journal.get(key, 0)]
    for subscriber_id, currency in sorted(wrong)[:SHOWN]:
        key = (subscriber_id, currency)
        yield Finding(
            "wallet",
            f"wallet:{subscriber_id} says {stored.get(key, 'nothing')} {currency} micro-units, "
            f"its journal {journal.get(key, 0)}",
        )


def _given_matches(connection: Connection, journals: Sequence[Connection]) -> Iterable[Finding]:
    """Hold what each wallet says was given of its charges and sales against the accruals on them."""
    given: dict[int, int] = {}
    paid, accrual = transfers.alias("paid"), transfers.alias("accrual")
    for kind, tenth, column in (
        ("charge", "accrual", "usage_id"),
        ("sale", "accrual", "reference"),
        ("rerated", "rerated_accrual", "reference"),
    ):
        same = and_(accrual.c.kind == tenth, accrual.c[column] == paid.c[column])
        sums = select(paid.c.debit, func.sum(accrual.c.amount)).join_from(paid, accrual, same)
        by_wallet = sums.where(paid.c.kind == kind).group_by(paid.c.debit)
        for journal in journals:
            for subscriber_id, amount in journal.execute(by_wallet):
                given[subscriber_id] = given.get(subscriber_id, 0) + int(amount)
    for journal in journals:
        for subscriber_id, amount in journal.execute(_taken_back()):
            given[subscriber_id] = given.get(subscriber_id, 0) - int(amount)
    stored = {
        row.subscriber_id: row.given for row in connection.execute(select(wallets.c.subscriber_id, wallets.c.given))
    }
    wrong = [number for number in stored.keys() | given.keys() if stored.get(number, 0) != given.get(number, 0)]
    for subscriber_id in sorted(wrong)[:SHOWN]:
        said, found = stored.get(subscriber_id, "nothing"), given.get(subscriber_id, 0)
        yield Finding(
            "given", f"wallet:{subscriber_id} says that {said} micro-units were given of it, its accruals {found}"
        )


def _taken_back() -> Select[Any]:
    """Sum the tenths of wrong prices that were taken back, by wallet."""
    paid, tenth = transfers.alias("paid"), transfers.alias("accrual")
    same = and_(tenth.c.kind == "accrual_reversal", tenth.c.reference == paid.c.reference)
    sums = select(paid.c.credit, func.sum(tenth.c.amount)).join_from(paid, tenth, same)
    return sums.where(paid.c.kind == "reversal").group_by(paid.c.credit)


def _holds_match(connection: Connection) -> Iterable[Finding]:
    rows = connection.execute(
        select(sessions.c.subscriber_id, func.sum(sessions.c.reserved)).group_by(sessions.c.subscriber_id)
    )
    held = {subscriber_id: int(amount) for subscriber_id, amount in rows}
    texts_held = select(texts.c.payer, func.sum(texts.c.held)).where(texts.c.held != 0).group_by(texts.c.payer)
    for payer, amount in connection.execute(texts_held):
        held[payer] = held.get(payer, 0) + int(amount)
    for subscriber_id, reserved in connection.execute(select(wallets.c.subscriber_id, wallets.c.reserved)):
        if reserved != held.pop(subscriber_id, 0):
            yield Finding(
                "hold",
                f"wallet:{subscriber_id} holds {reserved} micro-units, which its sessions and texts do not add up to",
            )
    for subscriber_id in [number for number, amount in held.items() if amount][:SHOWN]:
        yield Finding("hold", f"subscriber {subscriber_id} has sessions or texts that hold money, and no wallet")
    closed = select(sessions.c.id).where(and_(sessions.c.closed_at.is_not(None), sessions.c.reserved != 0)).limit(SHOWN)
    for (session,) in connection.execute(closed):
        yield Finding("hold", f"session {session} is closed and holds money")


def _usage_is_charged(connection: Connection) -> Iterable[Finding]:
    charges = select(transfers.c.usage_id, transfers.c.amount).where(transfers.c.kind == "charge").subquery()
    wrong = (
        select(usage.c.id, usage.c.price, charges.c.amount)
        .join_from(usage, charges, charges.c.usage_id == usage.c.id, isouter=True)
        .where(usage.c.price != func.coalesce(charges.c.amount, 0))
        .limit(SHOWN)
    )
    for record, price, amount in connection.execute(wrong):
        yield Finding("usage", f"record {record} was priced {price} micro-units and charged {amount or 0}")
    doubled = select(charges.c.usage_id).group_by(charges.c.usage_id).having(func.count() > 1).limit(SHOWN)
    for (record,) in connection.execute(doubled):
        yield Finding("usage", f"record {record} was charged more than once")


def _accruals_match(connection: Connection) -> Iterable[Finding]:
    """Hold the base of each accrual against the charge that it stands for."""
    accrual, charge = transfers.alias("accrual"), transfers.alias("charge")
    for kind, same in (
        ("charge", accrual.c.usage_id == charge.c.usage_id),
        ("sale", accrual.c.reference == charge.c.reference),
    ):
        key = accrual.c.usage_id if kind == "charge" else accrual.c.reference
        orphans = (
            select(accrual.c.id)
            .join_from(accrual, charge, and_(charge.c.kind == kind, same), isouter=True)
            .where(
                accrual.c.kind == "accrual",
                key.is_not(None),
                or_(charge.c.id.is_(None), charge.c.amount != accrual.c.base),
            )
            .limit(SHOWN)
        )
        for (entry,) in connection.execute(orphans):
            yield Finding("accrual", f"entry {entry} accrues on a base that is no {kind} of that amount")


def _evidence_is_there(connection: Connection) -> Iterable[Finding]:
    for found in wrong_evidence(connection, SHOWN):
        yield Finding(*found)


def _tenth_is_complete(connection: Connection) -> Iterable[Finding]:
    """Find charges and sales whose tenth is worth something and was never booked."""
    for kind in ("charge", "sale"):
        accrual, charge = transfers.alias("accrual"), transfers.alias("charge")
        column = "usage_id" if kind == "charge" else "reference"
        same = and_(accrual.c.kind == "accrual", accrual.c[column] == charge.c[column])
        missing = (
            select(charge.c.id)
            .join_from(charge, accrual, same, isouter=True)
            .where(charge.c.kind == kind, charge.c.amount >= LEAST, accrual.c.id.is_(None))
            .limit(SHOWN)
        )
        for (entry,) in connection.execute(missing):
            yield Finding("accrual", f"entry {entry} is a {kind} of which no tenth was booked")
