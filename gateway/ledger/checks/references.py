"""Evidence of which each value is booked once: no payment, sale or import stands in the books twice."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from heapq import merge
from itertools import groupby, islice
from typing import Any

from sqlalchemy import Connection, Select, func, select

from gateway.ledger.checks.examined import SHOWN, Examined, Finding
from gateway.ledger.checks.tenths import STREAMED
from gateway.ledger.postings import POSTINGS, Evidence
from gateway.store.tables import transfers


def booked_once(books: Examined) -> Iterable[Finding]:
    """Find evidence of which each value is booked once a kind, and was booked again."""
    for row in POSTINGS:
        if row.unique is None or row.unique is Evidence.USAGE:  # usage has a check of its own
            continue
        for value in islice(_doubled(books.journals, row.kind, row.unique), SHOWN):
            yield Finding("posting", f"{row.unique} {value} is booked more than once as {row.kind}")


def _doubled(journals: Sequence[Connection], kind: str, column: str) -> Iterator[object]:
    """Return values that entries of a kind have more than once: each journal gives its own in order, and they are merged."""
    if len(journals) == 1:
        yield from journals[0].scalars(_of_one(kind, column))
        return
    values = merge(*(journal.scalars(_ordered(kind, column)) for journal in journals))
    for value, same in groupby(values):
        if next(islice(same, 1, None), None) is not None:
            yield value


@cache
def _of_one(kind: str, column: str) -> Select[Any]:
    value = transfers.c[column]
    return select(value).where(transfers.c.kind == kind).group_by(value).having(func.count() > 1).limit(SHOWN)


@cache
def _ordered(kind: str, column: str) -> Select[Any]:
    value = transfers.c[column]
    wanted = select(value).where(transfers.c.kind == kind, value.is_not(None)).order_by(value)
    return wanted.execution_options(**STREAMED)
