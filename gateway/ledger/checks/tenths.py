"""The tenth, computed again: what `ledger check` holds each accrual against.

The tenth of a session is that of the sum of its charges: a charge adds what the running sum's tenth grew by, and each cause
gets its share of that to within one micro-unit. What was booked before this rule (`RUNNING_SINCE`) was rounded accrual by
accrual.
"""

from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, NamedTuple

from sqlalchemy import BigInteger, Connection, Select, cast, func, or_, select

from gateway.ledger.checks.examined import Recompute
from gateway.ledger.checks.rules import Rule, left_out
from gateway.store.plain_rows import plain_rows
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


def wrong_tenths(
    connection: Connection, journals: Sequence[Connection], recompute: Recompute, rules: Sequence[Rule] = ()
) -> Iterator[str]:
    """Say what is wrong with accruals: not the tenth that a charge or sale adds, or not split by the shares on them.

    `journals` are the parts of the journal; a session may have charges in several of them. What has no tenth, and may be left
    out by one of the rules, counts in no session.
    """
    since = connection.execute(select(marks.c.value).where(marks.c.name == RUNNING_SINCE)).scalar() or 0
    for journal in journals:
        yield from _wrong_parts(journal, recompute, since)
    yield from _wrong_sums(journals, recompute, since, rules)


def _wrong_parts(connection: Connection, recompute: Recompute, since: int) -> Iterator[str]:
    """Look at the accruals of each charge and sale together."""
    t = transfers.c
    columns = (t.usage_id, t.reference, t.policy, t.base, t.share, t.amount, t.at)
    wanted = select(*columns).where(t.kind == "accrual").order_by(t.usage_id, t.reference)
    for (usage_id, _), group in groupby(plain_rows(connection, wanted), key=_SAME_CHARGE):
        rows = list(group)
        if usage_id is not None and len(rows) == 1 and _is_whole(rows[0], since):
            continue  # the whole of it is one cause's, as nearly always
        parts = [_Part(*row) for row in rows]
        if any(evidence is None for part in parts for evidence in (part.policy, part.base, part.share)):
            continue  # a finding of its own: every accrual carries them
        yield from _wrong_split(parts, recompute, running=parts[0].at >= since)


_SAME_CHARGE: Final = itemgetter(0, 1)


class _Part(NamedTuple):
    """An accrual, as `_wrong_parts` reads it."""

    usage_id: int | None
    reference: str | None
    policy: str
    base: int
    share: int
    amount: int
    at: int


def _is_whole(row: tuple[Any, ...], since: int) -> bool:
    """Return whether an accrual by running sums is undivided, and has its evidence."""
    _, _, policy, base, share, _, at = row
    return share == WHOLE and at >= since and policy is not None and base is not None


def _wrong_split(parts: list[_Part], recompute: Recompute, *, running: bool) -> Iterator[str]:
    """Hold the parts of one tenth against their shares, and that of a sale against its price."""
    total = sum(part.amount for part in parts)
    for part in parts:
        if running:
            expected: int | None = total * part.share // WHOLE
            fits = part.amount - total * part.share // WHOLE in (0, 1)
        else:
            expected = recompute(part.policy, part.base, part.share)
            fits = part.amount == expected
        if not fits:
            yield (
                f"{part.share} basis points of {part.base} micro-units by policy {part.policy} are {expected}, "
                f"booked {part.amount}"
            )
    if running and parts[0].usage_id is None:
        expected = recompute(parts[0].policy, parts[0].base, WHOLE)
        if expected != total:
            yield _sum(parts[0].base, parts[0].policy, expected, total)


def _wrong_sums(
    journals: Sequence[Connection], recompute: Recompute, since: int, rules: Sequence[Rule]
) -> Iterator[str]:
    """Look at the charges of each session together; their order is not looked at, since two gateways have two clocks."""
    everywhere = select(transfers.c.policy).where(transfers.c.kind == "accrual").distinct()
    policies = {policy for journal in journals for policy in journal.scalars(everywhere)} - {None}
    in_order = [plain_rows(journal, _charges(since, rules)) for journal in journals]
    rows_in_order = in_order[0] if len(in_order) == 1 else merge(*in_order, key=_place)
    swept = False
    for session, group in groupby(rows_in_order, key=itemgetter(0)):
        swept = swept or session is None  # usage goes in time, and its charges stay
        alone = session is None or session == UNKEPT
        for rows in ([row] for row in group) if alone else (list(group),):
            wrong = _wrong_session(rows, policies, recompute, begins=not swept or session == UNKEPT)
            if wrong is not None:
                yield wrong


_Charge = tuple[int | None, int, int, str | None]
"""A charge: its session, its amount, the tenth on it, and the policy of that."""


def _charges(since: int, rules: Sequence[Rule]) -> Select[Any]:
    """Select the charges as `_Charge`, those of each session together."""
    t = transfers.c
    total = cast(func.sum(t.amount), BigInteger)
    tenths = (
        select(t.usage_id, total.label("total"), func.min(t.policy).label("policy"))
        .where(t.kind == "accrual", t.usage_id.is_not(None))
        .group_by(t.usage_id)
        .subquery()
    )
    counted = [or_(tenths.c.total.is_not(None), ~left_out(rules, t, sale=False))] if rules else []
    return (
        select(usage.c.session, t.amount, func.coalesce(tenths.c.total, 0), tenths.c.policy)
        .join_from(transfers, usage, usage.c.id == t.usage_id, isouter=True)
        .join(tenths, tenths.c.usage_id == t.usage_id, isouter=True)
        .where(t.kind == "charge", t.at >= since, *counted)
        .order_by(usage.c.session.is_not(None), usage.c.session)
    )


def _place(row: _Charge) -> tuple[bool, int]:
    """Return by what charges are sorted: those without a session come first."""
    return row[0] is not None, row[0] or 0


def _wrong_session(rows: list[_Charge], everywhere: set[str], recompute: Recompute, *, begins: bool) -> str | None:
    """Say what is wrong with the tenths of a session; `begins`: its first charge is surely among these."""
    base = tenth = 0
    for _, amount, total, policy in rows:
        base, tenth = base + amount, tenth + total
        if policy is None or policy != rows[0][3]:
            return _wrong_mixed(rows, everywhere, recompute, begins=begins)
        expected = recompute(policy, amount, WHOLE)
        if expected is None or not -1 <= total - expected <= 1:
            return _sum(amount, policy, expected, total)
    return _wrong_total(base, tenth, str(rows[0][3]), recompute, begins=begins)


def _wrong_mixed(rows: list[_Charge], everywhere: set[str], recompute: Recompute, *, begins: bool) -> str | None:
    """Say what is wrong with the tenths of a session of several policies, or with charges that have no tenth."""
    policies = {policy for *_, policy in rows if policy is not None} or everywhere
    for _, amount, total, policy in rows:
        by_policy = {each: recompute(each, amount, WHOLE) for each in ({policy} if policy is not None else policies)}
        if by_policy and not any(
            expected is not None and abs(total - expected) <= 1 for expected in by_policy.values()
        ):
            one, expected = next(iter(by_policy.items()))
            return _sum(amount, one, expected, total)
    if len(policies) != 1:
        return None
    base, tenth = sum(amount for _, amount, _, _ in rows), sum(total for _, _, total, _ in rows)
    return _wrong_total(base, tenth, next(iter(policies)), recompute, begins=begins)


def _wrong_total(base: int, total: int, policy: str, recompute: Recompute, *, begins: bool) -> str | None:
    """Hold the tenth of a whole session against that of the sum of its charges."""
    expected = recompute(policy, base, WHOLE)
    fits = total == expected or (not begins and _fits_somewhere(base, total, policy, recompute))
    return None if fits else _sum(base, policy, expected, total)


def _fits_somewhere(base: int, total: int, policy: str, recompute: Recompute) -> bool:
    """Return whether a running sum grew by this tenth from anywhere: the first charges of the session may be swept."""
    for before in range(1, PERIOD):
        first, last = recompute(policy, before, WHOLE), recompute(policy, before + base, WHOLE)
        if first is None or last is None:
            return False
        if last - first == total:
            return True
    return False


def _sum(base: int, policy: str, expected: int | None, total: int) -> str:
    return f"the tenth of {base} micro-units by policy {policy} is {expected}, booked {total}"
