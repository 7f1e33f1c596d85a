"""The tenth, computed again: what `ledger check` holds each accrual against.

The tenth of a session is that of the sum of its charges: a charge adds what the running sum's tenth grew by, and each cause
gets its share of that to within one micro-unit. What was booked before this rule (`RUNNING_SINCE`) was rounded accrual by
accrual.
"""

from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import groupby
from typing import Any, Final

from sqlalchemy import Connection, Row, func, select

from gateway.ledger.checks.examined import Recompute
from gateway.store.tables import marks, transfers, usage

RUNNING_SINCE: Final = "tenth.running_since"
"""The mark of the time (microseconds) from which on tenths go by running sums; without it they always did."""
WHOLE: Final = 10_000
"""Basis points of one whole."""
PERIOD: Final = 2 * WHOLE
"""A tenth's rounding, half-even at a rate in basis points, is the same again after so many micro-units."""
UNKEPT: Final = 0
"""The session of usage that was booked to none."""
STREAMED: Final = {"yield_per": 1000}


def wrong_tenths(connection: Connection, journals: Sequence[Connection], recompute: Recompute) -> Iterator[str]:
    """Say what is wrong with accruals: not the tenth that a charge or sale adds, or not split by the shares on them.

    `journals` are the parts of the journal; a session may have charges in several of them.
    """
    since = connection.execute(select(marks.c.value).where(marks.c.name == RUNNING_SINCE)).scalar() or 0
    for journal in journals:
        yield from _wrong_parts(journal, recompute, since)
    yield from _wrong_sums(journals, recompute, since)


def _wrong_parts(connection: Connection, recompute: Recompute, since: int) -> Iterator[str]:
    """Look at the accruals of each charge and sale together."""
    of = (transfers.c.usage_id, transfers.c.reference)
    columns = (*of, transfers.c.policy, transfers.c.base, transfers.c.share, transfers.c.amount, transfers.c.at)
    wanted = select(*columns).where(transfers.c.kind == "accrual").order_by(*of)
    rows = connection.execute(wanted, execution_options=STREAMED)
    for (usage_id, _), group in groupby(rows, key=lambda row: (row.usage_id, row.reference)):
        parts = list(group)
        if any(evidence is None for part in parts for evidence in (part.policy, part.base, part.share)):
            continue  # a finding of its own: every accrual carries them
        running = parts[0].at >= since
        if running and usage_id is not None and len(parts) == 1 and parts[0].share == WHOLE:
            continue  # the whole of it is one cause's, as nearly always
        total = sum(part.amount for part in parts)
        for part in parts:
            if running:
                expected = total * part.share // WHOLE
                fits = part.amount in (expected, expected + 1)
            else:
                expected = recompute(part.policy, part.base, part.share)
                fits = part.amount == expected
            if not fits:
                yield (
                    f"{part.share} basis points of {part.base} micro-units by policy {part.policy} are {expected}, "
                    f"booked {part.amount}"
                )
        if running and usage_id is None:
            expected = recompute(parts[0].policy, parts[0].base, WHOLE)
            if expected != total:
                yield _sum(parts[0].base, parts[0].policy, expected, total)


def _wrong_sums(journals: Sequence[Connection], recompute: Recompute, since: int) -> Iterator[str]:
    """Look at the charges of each session together; their order is not looked at, since two gateways have two clocks."""
    everywhere = select(transfers.c.policy).where(transfers.c.kind == "accrual").distinct()
    policies = {policy for journal in journals for policy in journal.scalars(everywhere)} - {None}
    tenths = (
        select(
            transfers.c.usage_id,
            func.sum(transfers.c.amount).label("total"),
            func.min(transfers.c.policy).label("policy"),
        )
        .where(transfers.c.kind == "accrual", transfers.c.usage_id.is_not(None))
        .group_by(transfers.c.usage_id)
        .subquery()
    )
    charges = (
        select(usage.c.session, transfers.c.amount, tenths.c.total, tenths.c.policy)
        .join_from(transfers, usage, usage.c.id == transfers.c.usage_id, isouter=True)
        .join(tenths, tenths.c.usage_id == transfers.c.usage_id, isouter=True)
        .where(transfers.c.kind == "charge", transfers.c.at >= since)
        .order_by(usage.c.session.is_not(None), usage.c.session)
    )
    in_order = [journal.execute(charges, execution_options=STREAMED) for journal in journals]
    swept = False
    for session, group in groupby(merge(*in_order, key=_place), key=lambda row: row.session):
        swept = swept or session is None  # usage goes in time, and its charges stay
        alone = session is None or session == UNKEPT
        for rows in ([row] for row in group) if alone else (list(group),):
            wrong = _wrong_session(rows, policies, recompute, begins=not swept or session == UNKEPT)
            if wrong is not None:
                yield wrong


def _place(row: Row[Any, Any, Any, Any]) -> tuple[bool, int]:
    """Give by what charges are sorted: those without a session come first."""
    return row.session is not None, row.session or 0


def _wrong_session(rows: list[Any], everywhere: set[str], recompute: Recompute, *, begins: bool) -> str | None:
    """Say what is wrong with the tenths of a session; `begins`: its first charge is surely among these."""
    if len(rows) == 1 and rows[0].policy is not None:
        (row,) = rows
        if int(row.total) == recompute(row.policy, row.amount, WHOLE):
            return None
    policies = {row.policy for row in rows if row.policy is not None} or everywhere
    for row in rows:
        by_policy = {policy: recompute(policy, row.amount, WHOLE) for policy in ({row.policy} - {None} or policies)}
        total = int(row.total or 0)
        if by_policy and not any(
            expected is not None and abs(total - expected) <= 1 for expected in by_policy.values()
        ):
            policy, expected = next(iter(by_policy.items()))
            return _sum(row.amount, policy, expected, total)
    if len(policies) != 1:
        return None
    (policy,) = policies
    base, total = sum(row.amount for row in rows), sum(int(row.total or 0) for row in rows)
    expected = recompute(policy, base, WHOLE)
    fits = total == expected or (not begins and _fits_somewhere(base, total, policy, recompute))
    return None if fits else _sum(base, policy, expected, total)


def _fits_somewhere(base: int, total: int, policy: str, recompute: Recompute) -> bool:
    """Tell whether a running sum grew by this tenth from anywhere: the first charges of the session may be swept."""
    for before in range(1, PERIOD):
        first, last = recompute(policy, before, WHOLE), recompute(policy, before + base, WHOLE)
        if first is None or last is None:
            return False
        if last - first == total:
            return True
    return False


def _sum(base: int, policy: str, expected: int | None, total: int) -> str:
    return f"the tenth of {base} micro-units by policy {policy} is {expected}, booked {total}"
