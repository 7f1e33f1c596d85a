"""What the bills of a month would come to if it were closed now; nothing is written.

A month whose turn it is not yet is added up as if those before it were closed now: each bill is of one month.
"""

from collections.abc import Iterator

import msgspec
from sqlalchemy import Connection, exists, or_, select

from gateway.billing.content import read_content
from gateway.billing.cuts import NOTHING, REOPENED, Close, Cut, Slice, closes, take_cut
from gateway.billing.reading import Draft, drafts, lines
from gateway.billing.statement import lines_of
from gateway.charity.months import following
from gateway.ledger.account_names import HIGHEST_SYSTEM
from gateway.store.engine import join_whole_tables, sort_on_disk
from gateway.store.sealed_months.parts import parts
from gateway.store.tables import transfers

PAGE = 2_000


class Previewed(msgspec.Struct):
    """How many lines would have a bill, and what the bills come to by section, what and currency: count and micro-units.

    `closed_first` is a month before it that has to be closed first, empty where there is none: what is of such months is on
    their bills. `has_earlier` says that it would be the first month that is closed, and has all that was before it.
    """

    lines: int = 0
    sums: dict[tuple[str, str, str], list[int]] = {}
    closed_first: str = ""
    has_earlier: bool = False


class AlreadyClosed(ValueError):
    """The month is closed: its bills are there to be shown; or it lies before the first one that was."""


def preview(connection: Connection, period: str, begin: int, until: int, one: int | None = None) -> Previewed:
    """Add up what a month, from `begin` until before `until`, would be billed; with `one`, that line alone.

    AlreadyClosed where it has its bills, or can have none.
    """
    known = closes(connection)
    last = known[-1] if known else None
    if last is not None and (period < last.period or (period == last.period and last.state != REOPENED)):
        if not any(each.period == period for each in known):
            raise AlreadyClosed(f"{last.period} is closed, and no month before it can be: {period} has no bills")
        raise AlreadyClosed(f"{period} is closed: its bills are there to be shown")
    found = Previewed(
        closed_first=_closed_first(last, period), has_earlier=last is None and _has_earlier(connection, begin)
    )
    before = NOTHING if last is None else last.cut
    if found.closed_first:  # as if it was closed now, and each month behind it
        before = take_cut(connection, None, before, begin)
    for draft in _drafts(connection, before, until, one):
        found.lines += 1
        for line in lines_of(read_content(draft.content)):
            sums = found.sums.setdefault((line.section, line.what, draft.currency), [0, 0])
            sums[0] += line.count
            sums[1] += line.amount
    return found


def _closed_first(last: Close | None, period: str) -> str:
    """Return the month that is closed before a month can be, if there is one."""
    if last is None or period == last.period:
        return ""
    first = last.period if last.state == REOPENED else following(last.period)
    return first if first < period else ""


def _has_earlier(connection: Connection, begin: int) -> bool:
    """Return whether anything of a wallet happened before a month."""
    own = transfers.c
    of_wallet = or_(own.debit >= HIGHEST_SYSTEM, own.credit >= HIGHEST_SYSTEM)
    wanted = select(exists().where(own.event_at < begin, of_wallet))
    with parts(connection) as found:
        return any(part.connection.scalar(wanted) for part in found)


def _drafts(connection: Connection, before: Cut, until: int, one: int | None) -> Iterator[Draft]:
    sort_on_disk(connection)
    join_whole_tables(connection)
    only = Slice(take_cut(connection, None, before, until), before)
    with parts(connection, only.wants) as found:
        for page in drafts(connection, lines(found, only, None, one=one), None, PAGE, until=until):
            yield from (draft for draft in page if draft.currency)
