"""Evidence as it is read back: the links of each chain, and the rows that they are held against, as plain tuples.

Millions of rows are read in pages by their identifiers, without what SQLAlchemy makes of each: that would cost as much as the
digests.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, select

from gateway.store.evidence import BEGINNING, Covered, Digester, Rows, Tip, read_rows
from gateway.store.nodes import SPAN_BITS
from gateway.store.tables import chains, evidence, nodes

PAGE: Final = 5000
LINKS: Final = 200
"""Links of one page: some megabytes where batches are full."""


class Link(NamedTuple):
    """A link of a chain, and what is wrong with it, if anything is."""

    sequence: int
    rows: list[Rows]
    wrong: str | None


class Chain:
    """The links of one node, in their order; after the last of them `wrong` says what is wrong with its end."""

    def __init__(self, connection: Connection, node: int, digester: Digester) -> None:
        """Take the store."""
        self._connection, self.node, self._digester = connection, node, digester
        self.wrong: str | None = None

    def __iter__(self) -> Iterator[Link]:
        """Read them through."""
        reached, head = 0, BEGINNING
        first = self.node << SPAN_BITS
        wanted = "SELECT id, at, rows, head FROM evidence WHERE id > {} AND id < {} ORDER BY id LIMIT {}"
        while page := _fetch(self._connection, wanted.format(first + reached, first + (1 << SPAN_BITS), LINKS)):
            for number, at, rows, said in page:
                sequence = number - first
                wrong = _gap(reached + 1, sequence)
                octets = isinstance(rows, bytes) and isinstance(at, int) and isinstance(head, bytes)
                if not octets or said != self._digester.head(head, self.node, sequence, at, rows):
                    wrong = wrong or f"link {sequence} was changed"
                yield Link(sequence, _decoded(rows), wrong)
                reached, head = sequence, said
        self.wrong = self._end(Tip(reached, head))

    def _end(self, reached: Tip) -> str | None:
        row = select(chains).where(chains.c.node == self.node)
        found = self._connection.execute(row).one_or_none()
        if found is None:
            return "it has links and no end: the row of the table chains is missing" if reached.sequence else None
        tip = Tip(found.sequence, found.head)
        if found.proof != self._digester.proof(self.node, tip):
            return f"its end was changed: it says that link {tip.sequence} is the last"
        if tip != reached:
            return f"its end was cut off: link {tip.sequence} is the last, the last there is {reached.sequence}"
        return None


def _gap(wanted: int, found: int) -> str | None:
    if wanted == found:
        return None
    return f"link {wanted} is missing" if found == wanted + 1 else f"links {wanted} to {found - 1} are missing"


def _decoded(rows: bytes) -> list[Rows]:
    """Read the rows of a link; of one that was changed they may be nothing that can be read."""
    try:
        return read_rows(rows)
    except (ValueError, TypeError):
        return []


def nodes_of(connection: Connection) -> list[int]:
    """Give the numbers of all nodes that were, in their order."""
    return sorted({*connection.scalars(select(nodes.c.id)), *connection.scalars(select(chains.c.node))})


def head_of(connection: Connection, node: int, sequence: int) -> bytes | None:
    """Give the head of a link, None where it is not there."""
    head: bytes | None = connection.scalar(
        select(evidence.c.head).where(evidence.c.id == (node << SPAN_BITS) + sequence)
    )
    return head


def is_of_another_key(connection: Connection, digester: Digester) -> bool:
    """Tell whether there are chains, and none of them has an end or a beginning that was made with this key."""
    numbers = ", ".join(str((node << SPAN_BITS) + 1) for node in nodes_of(connection)) or "0"
    firsts = _fetch(connection, f"SELECT id, at, rows, head FROM evidence WHERE id IN ({numbers})")  # noqa: S608  (ours)
    ends = list(connection.execute(select(chains)))
    begun = any(head == digester.head(BEGINNING, number >> SPAN_BITS, 1, at, rows) for number, at, rows, head in firsts)
    ended = any(end.proof == digester.proof(end.node, Tip(end.sequence, end.head)) for end in ends)
    return bool(firsts or ends) and not begun and not ended


def outside(connection: Connection, covered: Covered, known: Sequence[int]) -> Iterator[Any]:
    """Return identifiers of a table that are of none of these nodes, a page of them at most for each gap.

    Such as are no numbers, which SQLite takes for a column of numbers, are behind the greatest of them.
    """
    identifier = covered.columns[0].name
    edges = [edge << SPAN_BITS for node in known for edge in (node, node + 1)]
    gaps = zip([None, *edges[1::2]], [*edges[::2], None], strict=True)
    for where in (*(_between(identifier, low, high) for low, high in gaps), f"{identifier} IS NULL"):
        wanted = f"SELECT {identifier} FROM {covered.table.name} WHERE {where} ORDER BY 1 LIMIT {PAGE}"  # noqa: S608  (ours)
        yield from (number for (number,) in _fetch(connection, wanted))


def _between(identifier: str, low: int | None, high: int | None) -> str:
    """Return a condition: from `low` on, below `high`; None sets no bound, so that what is no number is among them, too."""
    bounds = (f"{identifier} {sign} {bound}" for sign, bound in ((">=", low), ("<", high)) if bound is not None)
    return " AND ".join(bounds) or f"{identifier} IS NOT NULL"


def pages_of(connection: Connection, covered: Covered, node: int | None = None) -> Iterator[Sequence[tuple[Any, ...]]]:
    """Give what is proved of a table's rows in the order of their identifiers: of those that a node numbered, or of all.

    Of two rows with one identifier, which a server's months may have, one may be left out. Of all rows those whose identifier
    is no number come last, a page of them at most.
    """
    columns = ", ".join(f'"{column.name}"' for column in covered.columns)
    identifier = covered.columns[0].name
    low, high = (None, None) if node is None else (node << SPAN_BITS, (node + 1) << SPAN_BITS)
    where = _between(identifier, low, high)
    while True:
        wanted = f"SELECT {columns} FROM {covered.table.name} WHERE {where} ORDER BY {identifier} LIMIT {PAGE}"  # noqa: S608
        page = _fetch(connection, wanted)
        if page:
            yield page
        if len(page) < PAGE or not isinstance(page[-1][0], (int, float)):
            return
        after = _between(identifier, None, high)
        where = f"{identifier} > {page[-1][0]} AND {after}"


def _fetch(connection: Connection, wanted: str) -> Sequence[tuple[Any, ...]]:
    result = connection.exec_driver_sql(wanted)
    cursor: Any = result.cursor
    found: Sequence[tuple[Any, ...]] = cursor.fetchall()
    result.close()
    return found
