"""Evidence of which each value is booked once: no payment, sale or import stands in the books twice."""

from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import groupby, islice
from typing import Any

from sqlalchemy import Column, Connection, func, select

from gateway.ledger.checks.examined import SHOWN, Examined, Finding
from gateway.ledger.checks.tenths import STREAMED
from gateway.ledger.postings import POSTINGS, Evidence
from gateway.store.tables import transfers


def booked_once(books: Examined) -> Iterable[Finding]:
    """Find evidence of which each value is booked once a kind, and was booked again."""
    for row in POSTINGS:
        if row.unique is None or row.unique is Evidence.USAGE:  # usage has a check of its own
            continue
        for value in islice(_doubled(books.journals, row.kind, transfers.c[row.unique]), SHOWN):
            yield Finding("posting", f"{row.unique} {value} is booked more than once as {row.kind}")


def _doubled(journals: Sequence[Connection], kind: str, column: Column[Any]) -> Iterator[object]:
    """Return values that entries of a kind have more than once: each journal gives its own in order, and they are merged."""
    wanted = select(column).where(transfers.c.kind == kind)
    if len(journals) == 1:
        yield from journals[0].scalars(wanted.group_by(column).having(func.count() > 1).limit(SHOWN))
        return
    ordered = wanted.where(column.is_not(None)).order_by(column)
    values = merge(*(journal.scalars(ordered.execution_options(**STREAMED)) for journal in journals))
    for value, same in groupby(values):
        if next(islice(same, 1, None), None) is not None:
            yield value
