"""Rows held against the chain of evidence before a pack tells of them: none goes into it that was changed since it was booked.

The digests are keyed (decision 049), so that this is the gateway's own word, or an auditor's who stands beside it; what a pack
has for others is the way of each row to the root under a day's seal (row_trees).
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, func, select

from gateway.store.evidence import COVERED, Digester, read_rows
from gateway.store.nodes import SPAN_BITS
from gateway.store.tables import evidence

NEAR: Final = 64
"""Links that are looked at from the time of a row on: what has no time of its own stands by that of an entry before it."""


class NotProved(LookupError):
    """A row that no link proves as it is; `table` and `number` say which."""

    def __init__(self, table: str, number: int) -> None:
        """Take where it stands."""
        super().__init__(f"a row of {table} behind it is not as it was booked: tpo ledger check names it")
        self.table, self.number = table, number


class Prover:
    """Finds the links of rows, and remembers them."""

    def __init__(self, connection: Connection, evidence_key: bytes) -> None:
        """Take the store and the key of evidence."""
        self._connection, self._digester = connection, Digester(evidence_key)
        self._said: dict[int, dict[str, dict[int, bytes]]] = {}
        self._all_read: set[int] = set()
        self._times: dict[int, int] = {}
        self._lasts: dict[int, int] = {}

    def prove(self, table: str, rows: Sequence[tuple[Any, ...]], ats: Iterable[int]) -> None:
        """Find the link of each row, `ats` being when each was booked; NotProved names one that has none."""
        digests = self._digester.digests(table, COVERED[table].of(rows))
        for row, digest, at in zip(rows, digests, ats, strict=True):
            if not self._is_linked(table, row[0], digest, at):
                raise NotProved(table, row[0])

    def _is_linked(self, table: str, number: int, digest: bytes, at: int) -> bool:
        """Look at the links from the time on at which it was booked, then, where a clock was set back, at all of its node."""
        node = number >> SPAN_BITS
        first = self._first_at(node, at)
        for link in range(first, min(first + NEAR, self._last(node) + 1)):
            self._read(link, link + 1)
            if self._has(link, table, number, digest):
                return True
        if node not in self._all_read:
            self._all_read.add(node)
            self._read(node << SPAN_BITS, (node + 1) << SPAN_BITS)
        return any(self._has(link, table, number, digest) for link in self._said)

    def _has(self, link: int, table: str, number: int, digest: bytes) -> bool:
        return self._said.get(link, {}).get(table, {}).get(number) == digest

    def _first_at(self, node: int, at: int) -> int:
        """Find the first link that was made at a time, or after it."""
        low, high = (node << SPAN_BITS) + 1, self._last(node) + 1
        while low < high:
            middle = (low + high) // 2
            if middle not in self._times:
                found = self._connection.scalar(select(evidence.c.at).where(evidence.c.id == middle))
                self._times[middle] = -1 if found is None else int(found)
            low, high = (middle + 1, high) if self._times[middle] < at else (low, middle)
        return low

    def _last(self, node: int) -> int:
        if node not in self._lasts:
            within = evidence.c.id.between(node << SPAN_BITS, ((node + 1) << SPAN_BITS) - 1)
            self._lasts[node] = int(self._connection.scalar(select(func.max(evidence.c.id)).where(within)) or 0)
        return self._lasts[node]

    def _read(self, begin: int, end: int) -> None:
        """Read the links of a range, unless it is one that is known."""
        if end == begin + 1 and begin in self._said:
            return
        for row in self._connection.execute(select(evidence).where(evidence.c.id >= begin, evidence.c.id < end)):
            said: dict[str, dict[int, bytes]] = {}
            for each in read_rows(row.rows):
                said.setdefault(each.table, {}).update((number, digest) for number, digest, _ in each)
            self._said[row.id] = said
