"""Rows held against the chain of evidence before a pack tells of them: none goes into it that was changed since it was booked.

The digests are keyed (decision 049), so that this is the gateway's own word, or an auditor's who stands beside it; the pack
says which link proves each row, by a label.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

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


class Proof(NamedTuple):
    """What proves a row: its digest, and the identifier of the link that has it."""

    digest: str
    link: int


class Link(NamedTuple):
    """A link of a chain, by its identifier: when it was made, its head, and the SHA-256 of what it says of rows."""

    number: int
    at: int
    head: str
    rows: str


class Prover:
    """Finds the links of rows, and remembers them."""

    def __init__(self, connection: Connection, evidence_key: bytes) -> None:
        """Take the store and the key of evidence."""
        self._connection, self._digester = connection, Digester(evidence_key)
        self.links: dict[int, Link] = {}
        self._said: dict[int, dict[str, dict[int, bytes]]] = {}
        self._all_read: set[int] = set()
        self._times: dict[int, int] = {}
        self._lasts: dict[int, int] = {}

    def prove(self, table: str, rows: Sequence[tuple[Any, ...]], ats: Iterable[int]) -> dict[int, Proof]:
        """Give the proof of each row, `ats` being when each was booked; NotProved names one that has none."""
        digests = self._digester.digests(table, COVERED[table].of(rows))
        found = {}
        for row, digest, at in zip(rows, digests, ats, strict=True):
            link = self._find(table, row[0], digest, at)
            if link is None:
                raise NotProved(table, row[0])
            found[row[0]] = Proof(digest.hex(), link)
        return found

    def _find(self, table: str, number: int, digest: bytes, at: int) -> int | None:
        """Look at the links from the time on at which it was booked, then, where a clock was set back, at all of its node."""
        node = number >> SPAN_BITS
        first = self._first_at(node, at)
        for link in range(first, min(first + NEAR, self._last(node) + 1)):
            self._read(link, link + 1)
            if self._has(link, table, number, digest):
                return link
        if node not in self._all_read:
            self._all_read.add(node)
            self._read(node << SPAN_BITS, (node + 1) << SPAN_BITS)
        return next((link for link in self._said if self._has(link, table, number, digest)), None)

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
            self.links[row.id] = Link(row.id, row.at, row.head.hex(), hashlib.sha256(row.rows).hexdigest())
            said: dict[str, dict[int, bytes]] = {}
            for each in read_rows(row.rows):
                said.setdefault(each.table, {}).update((number, digest) for number, digest, _ in each)
            self._said[row.id] = said
