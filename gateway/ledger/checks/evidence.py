"""Rows held against their digests: none was changed, taken away, doubled, moved or invented (store.evidence).

Links and rows are read once, beside each other, in the order of their identifiers, node by node.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from gateway.ledger.checks.examined import Examined, Finding
from gateway.store.evidence import COVERED, DIGEST_SIZE, Covered, Digester, Rows
from gateway.store.evidence_reading import Chain, is_of_another_key, nodes_of, outside, pages_of
from gateway.store.nodes import SPAN_BITS
from gateway.store.releases import Released, released
from gateway.store.sealed_months.parts import Part
from gateway.store.sealed_months.records import TABLES
from gateway.store.tables import choices, releases

NAMED: Final = 100
"""Rows of a table that are named, of each kind of finding; of more their number is told."""
WORDS: Final = {
    "transfers": "entry",
    "usage": "record",
    "sealed_choices": "choice",
    "releases": "release",
    "accounts": "account",
    "versions": "version",
    "reratings": "rerating",
    "allowance_entries": "entry of an allowance",
    "bills": "bill",
    "bill_events": "event of a bill",
    "bill_closes": "close of a month",
    "tax_areas": "tax area",
    "tax_days": "day of taxes",
    "added_taxes": "added tax",
    "wallets": "wallet",
    "gifts": "gift",
    "gift_aid_declarations": "Gift Aid declaration",
    "bill_limits": "decision about a limit",
    "erasures": "erasure",
    "payments": "payment",
    "subscriptions": "subscription",
    "families": "member of a family",
    "bank_details": "bank details",
    "payouts": "payment file",
    "cause_payments": "payment to a cause",
}
CHANGED: Final = "was changed since it was booked"
MISSING: Final = "is missing: it was booked, and is gone"
INVENTED: Final = "was not booked by a gateway: nothing proves it"
ANEW: Final = "was booked anew: the one that had its number before was taken away"
_UNCHANGING: Final[Mapping[str, int]] = {"accounts": 0, "versions": 1}
"""Tables whose rows take the lowest free number, and do not change but for so many last columns, which are filled once: a
gateway that starts makes an account or version again that it misses, under the number that it had."""


class _Found:
    """What was found of one table, the first of each kind by identifier."""

    def __init__(self, table: str) -> None:
        self._word = WORDS[table]
        self._rows: dict[str, list[int]] = {}
        self._counts: dict[str, int] = {}

    def add(self, number: int, what: str) -> None:
        """Take a row, and what is wrong with it."""
        self._counts[what] = self._counts.get(what, 0) + 1
        rows = self._rows.setdefault(what, [])
        if len(rows) < NAMED:
            rows.append(number)

    def wrong(self) -> set[int]:
        """Return the identifiers of rows that are there, and not as they should be."""
        return {number for what in (CHANGED, INVENTED) for number in self._rows.get(what, ())}

    def findings(self) -> Iterator[Finding]:
        """Name them."""
        for what, rows in self._rows.items():
            for number in rows:
                yield Finding("evidence", f"{self._word} {number} {what}")
            if self._counts[what] > NAMED:
                yield Finding("evidence", f"{self._counts[what]} rows in all: each such {self._word} {what}")


class _Rows:
    """The rows of one table that a node numbered, with their digests, in the order of their numbers: a page at a time."""

    def __init__(self, books: Examined, table: str, node: int, digester: Digester) -> None:
        self._books, self._table, self._node, self._digester = books, table, node, digester
        self._pages = self._read()
        self._numbers: list[int] = []
        self._digests: list[bytes] = []
        self._sealed, self._at, self._count = False, 0, 0

    def skip(self, said: Rows) -> bool:
        """Pass over the rows of a link if they are the next ones, as it says them; tells whether they were."""
        at, end = self._at, self._at + said.count
        if end > len(self._numbers):
            return False
        if self._digests[at] != said.digests[:DIGEST_SIZE] or b"".join(self._digests[at:end]) != said.digests:
            return False
        if self._numbers[at:end] != said.numbers():
            return False
        self._at = end
        return True

    @property
    def next(self) -> tuple[int, bytes, bool] | None:
        """The next row: its number, its digest, and whether it stands in a sealed file; None behind the last."""
        if self._at == len(self._numbers):
            page = next(self._pages, None)
            if page is None:
                return None
            self._numbers, self._digests, self._sealed = page
            self._at = 0
        return self._numbers[self._at], self._digests[self._at], self._sealed

    def take(self) -> None:
        """Go on to the row after the next one."""
        self._at += 1

    def _read(self) -> Iterator[tuple[list[int], list[bytes], bool]]:
        covered = COVERED[self._table]
        for part in _in_order(self._books.parts, self._table, self._node):
            for page in pages_of(part.connection, covered, self._node):
                yield [row[0] for row in page], self._digester.digests(self._table, page), part.month is not None
                self._count += len(page)
                self._books.progress(self._table, self._count)


def _in_order(parts: Sequence[Part], table: str, node: int) -> Iterator[Part]:
    """Return the parts that may have rows of a node, the lowest numbers first; the store itself is the last."""
    lowest = {
        id(part): after
        for part in parts
        if part.month
        for after, last in part.month.ranges
        if last >> SPAN_BITS == node
    }
    months = [part for part in parts if id(part) in lowest] if table in TABLES else []
    yield from sorted(months, key=lambda part: lowest[id(part)])
    yield from (part for part in parts if part.month is None)


def rows_proved(books: Examined) -> Iterable[Finding]:
    """Name every row of a covered table that is not as its link says, and every link that is not as it was made."""
    if books.key is None:
        return
    proof = _Proof(books, books.key)
    found = list(proof.findings())
    books.doubtful = frozenset(proof.wrong_rows(str(releases.name)))
    if books.doubtful:  # what they release may be missing for no reason
        found = list(_Proof(books, books.key, books.doubtful).findings())
    yield from found


def doubtful_releases(books: Examined) -> frozenset[int]:
    """Return the releases that nothing proves, by their numbers: they excuse nothing."""
    if books.doubtful is None and books.key is not None:
        list(rows_proved(books))
    return books.doubtful or frozenset()


class _Proof:
    """One look at all chains and all covered rows."""

    def __init__(self, books: Examined, key: bytes, doubtful: Collection[int] = ()) -> None:
        """Take the books; `doubtful` are releases that nothing proves."""
        self._books, self._digester = books, Digester(key)
        self._released: Released = released(books.connection, doubtful)
        self._found = {table: _Found(table) for table in COVERED}
        self._latest: dict[str, dict[int, dict[int, bytes]]] = {
            table: {} for table, covered in COVERED.items() if covered.changes
        }
        """By table and node what the latest links say of rows that change."""
        self._earlier: dict[str, dict[int, list[bytes]]] = {table: {} for table in _UNCHANGING}
        """By table and number what each link says of rows that hardly change, in their order."""

    def wrong_rows(self, table: str) -> set[int]:
        """Return the identifiers of a table's rows that were changed or invented, as far as they are named."""
        return self._found[table].wrong()

    def findings(self) -> Iterator[Finding]:
        """Look at each node's chain and rows, then at the rows that are of no node, and at those that change."""
        known = nodes_of(self._books.connection)
        if is_of_another_key(self._books.connection, self._digester):
            yield Finding("chain", "no chain was made with this gateway's key: is privacy.key that of this store?")
            return
        for node in known:
            yield from self._chain(node)
        for table, covered in COVERED.items():
            if covered.changes:
                self._states(table, covered)
            else:
                for part in self._books.parts:
                    if part.month is None or table in TABLES:
                        for number in outside(part.connection, covered, known):
                            self._found[table].add(number, INVENTED)
            yield from self._found[table].findings()

    def _chain(self, node: int) -> Iterator[Finding]:
        rows = {
            table: _Rows(self._books, table, node, self._digester)
            for table, covered in COVERED.items()
            if not covered.changes
        }
        chain, wrong = Chain(self._books.connection, node, self._digester), 0
        for link in chain:
            if link.wrong is not None and wrong < NAMED:
                wrong += 1
                yield Finding("chain", f"the chain of node {node} is not as it was made: {link.wrong}")
            for said in link.rows:
                if said.table in rows:
                    self._compare(said, rows[said.table])
                elif said.table in self._latest:
                    of_node = self._latest[said.table].setdefault(node, {})
                    of_node.update((number, digest) for number, digest, _ in said)
                    if said.table in self._earlier:
                        for number, digest, _ in said:
                            self._earlier[said.table].setdefault(number, []).append(digest)
        for table, of_table in rows.items():
            while (row := of_table.next) is not None:
                self._unproved(table, *row)
                of_table.take()
        if chain.wrong is not None:
            yield Finding("chain", f"the chain of node {node} is not as it was made: {chain.wrong}")

    def _compare(self, said: Rows, rows: _Rows) -> None:
        """Hold rows against what a link says of them."""
        if rows.skip(said):
            return
        table, found = said.table, self._found[said.table]
        for number, digest, day in sorted(said):
            while (row := rows.next) is not None and row[0] < number:
                self._unproved(table, *row)
                rows.take()
            if row is None or row[0] != number:
                if not (said.days and day <= self._released.usage_day) and not self._is_erased(table, number):
                    found.add(number, MISSING)
                continue
            if row[1] != digest:
                found.add(number, CHANGED)
            rows.take()

    def _is_erased(self, table: str, number: int) -> bool:
        return table == str(choices.name) and number in self._released.choices

    def _unproved(self, table: str, number: int, _digest: bytes, sealed: bool) -> None:  # noqa: FBT001  (as rows say it)
        if not (sealed and number <= self._released.unproved.get(number >> SPAN_BITS, -1)):
            self._found[table].add(number, INVENTED)

    def _states(self, table: str, covered: Covered) -> None:
        """Hold rows that change against what the latest links say; two gateways' clocks do not tell which is the later one."""
        said, found = list(self._latest[table].values()), self._found[table]
        missing: set[int] = {number for of_node in said for number in of_node}
        for page in pages_of(self._books.connection, covered):
            for row, digest in zip(page, self._digester.digests(table, page), strict=True):
                number = row[0]
                if number not in missing:
                    found.add(number, INVENTED)
                elif not any(of_node.get(number) == digest for of_node in said):
                    found.add(number, CHANGED)
                elif table in _UNCHANGING and not self._was_so(table, row, digest):
                    found.add(number, ANEW)
                missing.discard(number)
        for number in sorted(missing):
            (gone,) = self._digester.digests(table, [(number,)])
            if not any(of_node.get(number) == gone for of_node in said):
                found.add(number, MISSING)

    def _was_so(self, table: str, row: tuple[Any, ...], digest: bytes) -> bool:
        """Return whether all links say the same of a row, or of what it was before its last columns were filled."""
        filled_later, said = _UNCHANGING[table], self._earlier[table].get(row[0], [])
        if not filled_later:
            return len(said) == 1
        (before,) = self._digester.digests(table, [row[:-filled_later]])
        return all(each in (digest, before) for each in said)
