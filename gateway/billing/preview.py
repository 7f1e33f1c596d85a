"""What the bills of a month would come to if it were closed now; nothing is written."""

from collections.abc import Iterator

import msgspec
from sqlalchemy import Connection

from gateway.billing.content import read_content
from gateway.billing.cuts import NOTHING, REOPENED, Slice, closes, take_cut
from gateway.billing.reading import Draft, drafts, lines
from gateway.billing.statement import lines_of
from gateway.store.engine import join_whole_tables, sort_on_disk
from gateway.store.sealed_months.parts import parts

PAGE = 2_000


class Previewed(msgspec.Struct):
    """How many lines would have a bill, and what the bills come to by section, what and currency: count and micro-units."""

    lines: int = 0
    sums: dict[tuple[str, str, str], list[int]] = {}


class AlreadyClosed(ValueError):
    """The month is closed: its bills are there to be shown; or it lies before the first one that was."""


def preview(connection: Connection, period: str, until: int, one: int | None = None) -> Previewed:
    """Add up what would be billed for events before `until`; with `one`, for that line alone."""
    found = Previewed()
    for draft in _drafts(connection, period, until, one):
        found.lines += 1
        for line in lines_of(read_content(draft.content)):
            sums = found.sums.setdefault((line.section, line.what, draft.currency), [0, 0])
            sums[0] += line.count
            sums[1] += line.amount
    return found


def _drafts(connection: Connection, period: str, until: int, one: int | None) -> Iterator[Draft]:
    sort_on_disk(connection)
    join_whole_tables(connection)
    known = closes(connection)
    last = known[-1] if known else None
    if last is not None and (period < last.period or (period == last.period and last.state != REOPENED)):
        if not any(each.period == period for each in known):
            raise AlreadyClosed(f"{last.period} is closed, and no month before it can be: {period} has no bills")
        raise AlreadyClosed(f"{period} is closed: its bills are there to be shown")
    before = NOTHING if last is None else last.cut
    only = Slice(take_cut(connection, None, before, until), before)
    with parts(connection, only.wants) as found:
        for page in drafts(connection, lines(found, only, None, one=one), None, PAGE, until=until):
            yield from (draft for draft in page if draft.currency)
