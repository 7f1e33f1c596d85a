"""One batch of the write lane: what its units share while they are loaded, decided and saved.

A *unit* is one change of state asked for by somebody: a charging request, a top-up, a broker's acknowledgement. It is plain
data, so that it can cross from one process to another; what it is decided with, its *policy*, is looked up in the batch. A
*row set* holds the rows of one kind that the batch touches: it is filled with one set-based query, changed in memory by the
units in their order of arrival, and written back with one statement. So a unit costs the disk a share of a few statements.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from contextlib import ExitStack, nullcontext
from itertools import chain
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import msgspec
from sqlalchemy import Connection, Table

from gateway.store.evidence import Evidence
from gateway.store.expected_keys import ExpectedKeys
from gateway.store.nodes import Node
from gateway.store.row_cache import RowCache
from gateway.store.row_order import row_order
from gateway.store.statements import Inserts, begin_sending, pipelined
from gateway.store.tables import evidence as links
from gateway.store.tables import metadata

Key = TypeVar("Key")
Row = TypeVar("Row")
AnyRowSet = TypeVar("AnyRowSet", bound="RowSet[Any, Any]")
AnyPolicy = TypeVar("AnyPolicy")


class Unit(msgspec.Struct, gc=False, tag=True, tag_field="unit"):
    """A change of state: it names the rows that it touches, then decides on them with pure functions.

    Its fields are what `msgspec` can write and read: nothing that is open, no function. It is tagged by the name of its class.
    """

    alone: ClassVar[bool] = False
    """True for a unit that works on sets of rows by itself and must not share a batch."""
    touches: ClassVar[tuple[type, ...]] = ()
    """The kinds of row sets of which the unit needs rows."""

    def keys(self, row_set: "RowSet[Any, Any]", batch: "Batch") -> Iterable[object]:
        """Name the keys that this unit needs of a row set that it touches; those before it are already filled.

        It is not asked for a row set that is keyed like another one.
        """
        raise NotImplementedError

    def lead(self) -> object:
        """Give what leads to the same keys of rows that are `led_to`, batch after batch; None where nothing does."""
        return None

    def decide(self, batch: "Batch") -> Any:  # noqa: ANN401  (each unit says what it answers)
        """Change the rows in memory and give the answer; an exception refuses this unit alone."""
        raise NotImplementedError


_UnitsByType = Mapping[type[Unit], Sequence[Unit]]
Policies = Mapping[type, object]
"""What units are decided with, made from the settings: each policy by its type. Replaced as a whole, never changed."""


def policies_of(*policies: object) -> Policies:
    """Give policies by their types."""
    return {type(policy): policy for policy in policies}


class RowSet(Generic[Key, Row]):
    """The rows of one kind in this batch. A subclass says how they are loaded and saved.

    With `kept`, rows stay in memory for the batches to come, where nobody else writes them (store.row_cache). Such a row set
    puts each row that it loads or saves into `settled` as well, in a form that nothing changes, and makes it of that again
    (`restore`).
    """

    rank: ClassVar[int]
    """The place in store.row_order, found by the name of the class: row sets are loaded and saved in this order."""
    keyed_like: "ClassVar[type[RowSet[Any, Any]] | None]" = None
    """The kind, before it, whose keys are its own, too: a unit that touches both names them for that one alone."""
    under_locks: ClassVar[bool] = False
    """Whether its rows change under the locks of row sets after it: a server is asked for them again, once these are taken."""
    led_to: ClassVar[bool] = False
    """Whether units know its keys only from the rows of others: a server is asked for both at once, as far as these keys can be
    expected (store.expected_keys)."""
    kept: ClassVar[int] = 0
    """Of how many keys rows are kept at most, those used last; 0: none are."""
    reads: ClassVar[tuple[Table, ...]] = ()
    """The tables that kept rows come from."""
    proves: ClassVar[str | None] = None
    """The covered table (store.evidence) whose rows it changes, and puts into `proved` as it saves them."""

    def __init_subclass__(cls, **options: Any) -> None:  # noqa: ANN401  (as object has it)
        """Find the place of a new kind; TypeError if it has none of its own."""
        super().__init_subclass__(**options)
        cls.rank = row_order.place_of(cls)

    def __init__(self) -> None:
        """Start empty."""
        self.rows: dict[Key, Row] = {}
        self.settled: dict[Key, object | None] = {}
        """By key what the store has once this batch is committed; None where it is not worth keeping any more."""
        self.proved: list[tuple[object, ...]] = []
        self.policies: Policies = {}
        """What the batch is decided with; some rows are opened by it as they are loaded."""

    def load(self, connection: Connection, keys: set[Key]) -> None:
        """Read the rows of these keys, locked if they may change, into `rows`."""
        self.ask(connection, keys)()

    def ask(self, connection: Connection, keys: set[Key]) -> Callable[[], None]:
        """Send the queries for the rows of these keys, and give what takes the rows into `rows` when they are wanted.

        A server works on them meanwhile, and on those of other row sets. A row set has either this or `load`.
        """
        self.load(connection, keys)
        return _nothing

    def save(self, connection: Connection) -> None:
        """Write back what changed; row sets that are only read have nothing to do."""

    def restore(self, rows: Mapping[Key, Any]) -> None:
        """Put in rows that an earlier batch left: what that put into `settled`, by key."""
        raise NotImplementedError

    def get(self, key: Key) -> Row | None:
        """Give the row of a key that a unit named, None if there is none."""
        return self.rows.get(key)

    def policy(self, kind: type[AnyPolicy]) -> AnyPolicy:
        """Give what rows of this kind are opened with; LookupError where this lane was given none."""
        found = self.policies.get(kind)
        if found is None:
            raise LookupError(f"this lane was given no {kind.__name__}")
        return found  # type: ignore[return-value]  # by its own type


class GiveRowSet(Protocol):
    """Gives a batch's row set of a kind."""

    def __call__(self, kind: type[AnyRowSet], /) -> AnyRowSet:
        """Give the row set."""


class _RowSets(dict[type, RowSet[Any, Any]]):
    """The row sets of one batch by kind, made when they are first asked for. It does not hold the batch that holds it."""

    def __init__(self, policies: Policies) -> None:
        """Take what the batch is decided with."""
        self._policies = policies
        self.asked: dict[type, tuple[RowSet[Any, Any], Callable[[], None]]] = {}
        """Row sets whose rows are still on their way, and what takes these."""

    def __missing__(self, kind: type[Any]) -> RowSet[Any, Any]:
        """Give a row set whose rows are on their way, once they are there, or a new one."""
        if kind in self.asked:
            row_set, take = self.asked.pop(kind)
            take()
        else:
            row_set = kind()
            row_set.policies = self._policies
        self[kind] = row_set
        return row_set


class Batch:
    """What one transaction works on. Row sets are made when they are first asked for."""

    def __init__(
        self,
        connection: Connection,
        node: Node,
        now: int,
        policies: Policies,
        cache: RowCache | None = None,
        evidence: Evidence | None = None,
        expected: ExpectedKeys | None = None,
        pipeline: ExitStack | None = None,
    ) -> None:
        """Take the open transaction, this node, the time in microseconds, what units are decided with, and rows in memory.

        `evidence` is the node's chain; without one nothing that is written is proved. `expected` says which rows a server is
        asked for ahead; without it, none. `pipeline` is one that is open already (statements.pipelined): what was sent in it is
        answered with the first rows.
        """
        self._connection, self.node, self.now, self._policies = connection, node, now, policies
        self.take_id = node.take_id
        """Gives a fresh identifier."""
        self._pipeline, self._opens_pipeline = pipeline or ExitStack(), pipeline is None
        self._cache, self._evidence, self._expected = cache or RowCache(), evidence, expected
        self._row_sets = _RowSets(policies)
        self.row_set: GiveRowSet = self._row_sets.__getitem__  # type: ignore[assignment]  # each by its own type
        """Gives this batch's row set of a kind, with the rows that were asked for."""
        self._rows: dict[str, list[tuple[object, ...]]] = defaultdict(list)
        self._proved: dict[str, list[tuple[object, ...]]] = {}
        """Rows of covered tables that were not written by `add`."""
        self._endings: dict[object, Callable[[], None]] = {}
        self._wanted: dict[type, set[object]] = {}
        """Whose keys the units named, by the kind of row set."""

    @property
    def connection(self) -> Connection:
        """The open transaction. Whoever takes it may read by SQLAlchemy, which cannot amid a pipeline: that ends here."""
        self._pipeline.close()
        return self._connection

    def policy(self, kind: type[AnyPolicy]) -> AnyPolicy:
        """Give what units of a kind are decided with; LookupError where this lane was given none."""
        found = self._policies.get(kind)
        if found is None:
            raise LookupError(f"this lane was given no {kind.__name__}")
        return found  # type: ignore[return-value]  # by its own type

    def add(self, table: Table, row: tuple[object, ...]) -> None:
        """Append a row, given as a tuple in the order of the table's columns, when the batch is saved."""
        self._rows[table.name].append(row)

    def added(self, table: Table) -> list[tuple[object, ...]]:
        """Give the rows of a table that are appended when the batch is saved: for many at once, in place of `add`."""
        return self._rows[table.name]

    def prove(self, table: Table, row: tuple[object, ...]) -> None:
        """Have a row of a covered table proved that a unit wrote by itself, given as its covered columns."""
        self._proved.setdefault(str(table.name), []).append(row)

    def at_end(self, key: object, action: Callable[[], None]) -> None:
        """Run an action once, after the last unit has decided and before the batch is saved; the first one of a key counts."""
        self._endings.setdefault(key, action)

    def fill(self, units: Sequence[Unit]) -> None:
        """Load what the units touch, one row set after the other in their order.

        A server is asked for several row sets at once, up to the first whose keys come from the rows of another one and cannot
        be expected.
        """
        named: dict[type[Unit], list[Unit]] = defaultdict(list)
        for unit in units:
            named[type(unit)].append(unit)
        kinds = sorted({kind for each in named for kind in each.touches}, key=_rank)
        with self._pipeline:
            if kinds and self._opens_pipeline:
                self._pipeline.enter_context(pipelined(self._connection))
            if self._connection.dialect.name == "sqlite":
                for kind in kinds:
                    self._ask_for(kind, named)
                ahead = {}
            else:
                ahead = self._ask_server_for(kinds, named)
        # With what was expected a single wait ends here; what was not is asked for as it is found, which is seldom.
        missed = [kind for kind, keys in ahead.items() if self._ask_for(kind, named, keys)]
        if missed:
            self._ask_again(kinds)
        for kind in list(self._row_sets.asked):
            self.row_set(kind)

    def _ask_server_for(self, kinds: Sequence[type[RowSet[Any, Any]]], units: _UnitsByType) -> dict[type, set[object]]:
        """Ask for the rows of all kinds: those that change under locks after these are taken; gives what was only expected."""
        ahead = self._expected_keys(kinds, units)
        for kind in sorted(kinds, key=_under_locks) if ahead else kinds:
            if kind in ahead:
                self._ask(self.row_set(kind), ahead[kind])
            else:
                self._ask_for(kind, units)
        if not ahead:
            self._ask_again(kinds)
        return ahead

    def _ask_again(self, kinds: Iterable[type[RowSet[Any, Any]]]) -> None:
        """Ask once more, now that all locks are taken, for what changes under them."""
        for kind in kinds:
            wanted = self._wanted.get(kind)
            if kind.under_locks and wanted:
                self._ask(self.row_set(kind), wanted)

    def _expected_keys(self, kinds: Iterable[type], units: _UnitsByType) -> dict[type, set[object]]:
        """Give the keys of row sets to ask for ahead; empty where those of any unit are not known."""
        ahead: dict[type, set[object]] = {}
        led_to = [kind for kind in kinds if kind.led_to]  # type: ignore[attr-defined]  # row sets
        if self._expected is not None and led_to:
            waiting = [each for each in units if any(map(_waits_for_others, each.touches))]
            keys = self._expected.of(list(chain.from_iterable(units[each] for each in waiting)))
            ahead = dict.fromkeys(led_to, keys) if keys else {}
        return ahead

    def _ask_for(self, kind: type[RowSet[Any, Any]], units: _UnitsByType, asked: Set[object] = frozenset()) -> bool:
        """Ask for the rows of a kind that units touch, but for those that were asked for; False where there are no others."""
        row_set: RowSet[Any, Any] = self.row_set(kind)
        if row_set.keyed_like is not None:
            wanted = self._wanted.get(row_set.keyed_like, set())
        else:
            touching = list(chain.from_iterable(units[each] for each in units if kind in each.touches))
            named: Sequence[Iterable[object]] = [unit.keys(row_set, self) for unit in touching]
            if kind.led_to and self._expected is not None:
                named = certain = list(map(tuple, named))
                self._expected.learn(touching, certain)
            wanted = self._wanted[kind] = set(chain.from_iterable(named))
        missing = self._cache.restore(row_set, wanted) if row_set.kept and wanted else wanted
        if asked:
            missing = missing - asked
        if missing:
            self._ask(row_set, missing)
        return bool(missing)

    def _ask(self, row_set: RowSet[Any, Any], keys: set[object]) -> None:
        """Have rows sent; whoever wants the row set takes them first."""
        kind = type(row_set)
        self._row_sets.asked[kind] = row_set, row_set.ask(self._connection, keys)
        del self._row_sets[kind]

    def save(self) -> None:
        """Write everything: changed rows first, then what was appended."""
        for action in self._endings.values():
            action()
        with pipelined(self._connection) if self._row_sets or self._rows else nullcontext():
            self._cache.save([self._row_sets[kind] for kind in sorted(self._row_sets, key=_rank)], self._connection)
            begin_sending(self._connection)
            self._link()
            inserts.run(self._connection, {name: rows for name, rows in self._rows.items() if rows})
            if self._evidence is not None:
                self._evidence.save_tip(self._connection)
        # An ending may hold the batch that holds it: without this, only the garbage collector would free what was loaded.
        self._endings.clear()

    def _link(self) -> None:
        """Append the link that proves what this batch wrote."""
        if self._evidence is None:
            return
        for row_set in self._row_sets.values():
            if row_set.proved and row_set.proves is not None:
                self._proved.setdefault(row_set.proves, []).extend(row_set.proved)
        link = self._evidence.link(self._rows, self._proved, self.now)
        if link is not None:
            self._rows[str(links.name)] = [link]


def _nothing() -> None:
    """Take nothing: the rows are there."""


def _under_locks(kind: type[RowSet[Any, Any]]) -> bool:
    return kind.under_locks


def _waits_for_others(kind: type[RowSet[Any, Any]]) -> bool:
    return kind.led_to or kind.under_locks


def _rank(kind: type) -> int:
    rank: int = kind.rank  # type: ignore[attr-defined]  # every kind of row set has one
    return rank


inserts = Inserts(metadata.tables)
