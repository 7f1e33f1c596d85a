"""Trees of days' rows: made when a day is sealed, and asked for the way from a row to the root that the seal has.

Both read rows by their numbers, a few thousand at a time, from the store and from sealed months. What is read is never changed
any more, so that a tree needs no long transaction.
"""

from bisect import bisect_left
from collections import defaultdict, namedtuple
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Table, func, literal_column, select

from gateway.billing.packs.reading import EntryRow, UsageRow
from gateway.billing.packs.row_leaves import RowLeaves
from gateway.ledger.row_tree import HASH, MOST, WINDOW_BITS, Leaves, Numbers, Shuffle, beside, height_of, levels_of
from gateway.ledger.seals import RowTree, tree_of_day
from gateway.privacy.pseudonyms import derive
from gateway.store.nodes import SPAN_BITS
from gateway.store.sealed_months.parts import Part, parts
from gateway.store.statements import SelectAmong
from gateway.store.tables import bills, row_trees, transfers, usage

AT_ONCE: Final = 16
"""Windows that are read at once."""
_ROWS: Final = (transfers, usage, bills)
_USAGE: Final = SelectAmong(select(usage), usage.c.id, int)
_ENTRIES: Final = SelectAmong(select(transfers), transfers.c.id, int)
_BILLS: Final = SelectAmong(select(bills), bills.c.id, int)
BillRow: Final[Any] = namedtuple("BillRow", [column.name for column in bills.columns])  # type: ignore[misc]  # by the table

Reading = Callable[[], AbstractContextManager[Connection]]
"""Lends a connection for reports."""


class Way(NamedTuple):
    """The way of a row to the root of a day's tree: the seal's node and day, the tree's width, its place, what is beside it."""

    node: int
    day: str
    width: int
    place: int
    path: bytes


def ranges_due(connection: Connection, node: int) -> list[tuple[int, int]]:
    """Return the numbers of a node's rows since its last tree, in whole windows but at the ends; none: there are no rows."""
    last = connection.scalar(select(func.max(row_trees.c.upto)).where(row_trees.c.node == node))
    first, upto = (node << SPAN_BITS) if last is None else last + 1, _newest(connection, node)
    high, windows = upto, set[int]()
    with parts(connection) as every:
        while high >= first and len(windows) < MOST >> WINDOW_BITS:
            low = max(first, high - MOST + 1)
            windows.update(*(_windows(part, low, high) for part in every))
            high = max(_last_between(part, first, low) for part in every)  # over what nobody was given, at once
    ranges: list[tuple[int, int]] = []
    for each in sorted(windows)[-(MOST >> WINDOW_BITS) :]:
        begin, end = max(each << WINDOW_BITS, first), min(((each + 1) << WINDOW_BITS) - 1, upto)
        if ranges and ranges[-1][1] + 1 == begin:
            begin = ranges.pop()[0]
        ranges.append((begin, end))
    return ranges


def _windows(part: Part, low: int, high: int) -> Iterator[int]:
    """Return the windows of numbers that have rows, from one number to another one."""
    for table in _tables(part):
        window: ColumnElement[int] = literal_column(f"{table.name}.id >> {WINDOW_BITS}")
        yield from part.connection.scalars(select(window).where(table.c.id >= low, table.c.id <= high).distinct())


def _last_between(part: Part, first: int, before: int) -> int:
    """Return the highest number of a row from one number up to, and not with, another one; 0 where there is none."""
    found = (select(func.max(table.c.id)).where(table.c.id >= first, table.c.id < before) for table in _tables(part))
    return max(part.connection.scalar(each) or 0 for each in found)


def _tables(part: Part) -> Sequence[Table]:
    return _ROWS if part.month is None else _ROWS[:2]


def make(reading: Reading, evidence_key: bytes, node: int, ranges: list[tuple[int, int]]) -> RowTree:
    """Make the tree of rows by their numbers."""
    with reading() as connection:
        leaves_of = RowLeaves(connection, evidence_key)
    numbers = Numbers(ranges)
    shuffle, leaves, place = _shuffle(evidence_key, node, ranges), Leaves(numbers.width), 0
    for low, high in ranges:
        for begin in range(low, high + 1, AT_ONCE << WINDOW_BITS):
            end = min(begin + (AT_ONCE << WINDOW_BITS) - 1, high)
            with reading() as connection, parts(connection) as every:
                found = _leaves_between(every, connection, leaves_of, begin, end)
            for number in range(begin, end + 1):
                leaf = found.get(number)
                leaves.put(shuffle.place_of(place), leaves_of.secrets.empty(number) if leaf is None else leaf)
                place += 1
    return RowTree(ranges, leaves.roots())


def _newest(connection: Connection, node: int) -> int:
    low, high = node << SPAN_BITS, (node + 1) << SPAN_BITS
    found = [
        connection.scalar(select(func.max(table.c.id)).where(table.c.id >= low, table.c.id < high)) for table in _ROWS
    ]
    return max((number for number in found if number is not None), default=0)


def _leaves_between(
    found: Sequence[Part], connection: Connection, leaves: RowLeaves, low: int, high: int
) -> dict[int, bytes]:
    known: dict[int, bytes] = {}
    for part in found:
        if part.month is None or any(after < high and last >= low for after, last in part.month.ranges):
            of_usage = select(usage).where(usage.c.id.between(low, high))
            of_entries = select(transfers).where(transfers.c.id.between(low, high))
            known.update((row[0], leaves.leaf_of_usage(UsageRow(*row))) for row in part.connection.execute(of_usage))
            known.update(
                (row[0], leaves.leaf_of_transfer(EntryRow(*row))) for row in part.connection.execute(of_entries)
            )
    known.update(
        (row.id, leaves.leaf_of_bill(row))
        for row in connection.execute(select(bills).where(bills.c.id.between(low, high)))
    )
    return known


def _shuffle(evidence_key: bytes, node: int, ranges: Sequence[tuple[int, int]]) -> Shuffle:
    return Shuffle(derive(evidence_key, f"pack/places/{node}/{ranges[0][0]}"), Numbers(ranges).width)


class _Tree:
    """One day's tree, as it is kept."""

    def __init__(self, evidence_key: bytes, node: int, day: str, tree: RowTree) -> None:
        self.node, self.day, self.numbers = node, day, Numbers(tree.ranges)
        self.height, self._roots = height_of(self.numbers.width), tree.roots
        self.shuffle = _shuffle(evidence_key, node, tree.ranges)
        self._levels: list[list[bytes]] = []

    def below(self, subtree: int) -> list[int]:
        """Return the numbers whose leaves stand below the root of a subtree, in the order of their places."""
        begin, width = subtree << self.height, self.numbers.width
        return [
            self.numbers.at(self.shuffle.at(place)) for place in range(begin, min(begin + (1 << self.height), width))
        ]

    def way(self, place: int, leaves: Sequence[bytes]) -> Way | None:
        """Return the way of a place, from all leaves of its subtree; None where these are not those that were sealed."""
        subtree, within = place >> self.height, levels_of(leaves)
        if within[-1][0] != self._roots[subtree * HASH : (subtree + 1) * HASH]:
            return None
        if not self._levels:
            self._levels = levels_of([self._roots[i : i + HASH] for i in range(0, len(self._roots), HASH)])
        path = [*beside(within, place & ((1 << self.height) - 1)), *beside(self._levels, subtree)]
        return Way(self.node, self.day, self.numbers.width, place, b"".join(path))


class Ways:
    """Finds the ways of rows to the roots that seals have."""

    def __init__(self, connection: Connection, evidence_key: bytes) -> None:
        """Take the store and the key of evidence."""
        self._connection, self._key, self._leaves = connection, evidence_key, RowLeaves(connection, evidence_key)
        own = row_trees.c
        known = connection.execute(select(own.node, own.upto, own.day).order_by(own.node, own.upto))
        self._known = [(node, upto, day) for node, upto, day in known]
        self._trees: dict[int, _Tree] = {}

    def of(self, numbers: Iterable[int]) -> dict[int, Way]:
        """Return the way of each row, by its number; one whose day is not sealed yet, or not as it was sealed, has none."""
        wanted: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
        for number in numbers:
            i = bisect_left(self._known, (number >> SPAN_BITS, number))
            tree = self._tree(i) if i < len(self._known) else None
            index = None if tree is None else tree.numbers.place_of(number)
            if tree is not None and index is not None:
                place = tree.shuffle.place_of(index)
                wanted[i, place >> tree.height].append((number, place))
        found: dict[int, Way] = {}
        with parts(self._connection) as every:
            for (i, subtree), rows in sorted(wanted.items()):
                tree = self._tree(i)
                leaves = self._below(every, tree.below(subtree))
                ways = ((number, tree.way(place, leaves)) for number, place in rows)
                found.update((number, way) for number, way in ways if way is not None)
        return found

    def _tree(self, i: int) -> _Tree:
        if i not in self._trees:
            node, _, day = self._known[i]
            tree = tree_of_day(self._connection, node, day)
            assert tree is not None  # it is one of those that are kept
            self._trees[i] = _Tree(self._key, node, day, tree)
        return self._trees[i]

    def _below(self, every: Sequence[Part], numbers: Sequence[int]) -> list[bytes]:
        known: dict[int, bytes] = {}
        lowest, highest = min(numbers), max(numbers)
        for part in every:
            if part.month is None or any(after < highest and last >= lowest for after, last in part.month.ranges):
                entries, used = _ENTRIES.run(part.connection, numbers), _USAGE.run(part.connection, numbers)
                known.update((row[0], self._leaves.leaf_of_transfer(EntryRow(*row))) for row in entries)
                known.update((row[0], self._leaves.leaf_of_usage(UsageRow(*row))) for row in used)
        of_bills = _BILLS.run(self._connection, numbers)
        known.update((row[0], self._leaves.leaf_of_bill(BillRow(*row))) for row in of_bills)
        return [known.get(number) or self._leaves.secrets.empty(number) for number in numbers]
