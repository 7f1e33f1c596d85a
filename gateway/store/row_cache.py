"""Rows that stay in memory from one batch of the write lane to the next (decision 040).

Kept are rows of an SQLite file, which one process alone writes; on a server others change them between two batches, and
nothing is kept. What is kept is always as it is on disk: it goes in after the commit of the batch that read or wrote it, and is
dropped where that can't be said any more:

- all of it, when a batch is rolled back, the outcome of its commit is unknown, or the connection is given up (`drop`);
- all of it, when anybody else wrote to the file, which the file itself tells (`PRAGMA data_version`);
- the rows of a kind, when a batch wrote to a table that they come from by anything but their own row set: an appended row,
  another statement, a unit that works on sets of rows by itself. Every statement of the lane's connection is seen here, so no
  unit has to say that it wrote.

Rows are kept in a form that nothing changes (tuples, frozen structs), so that a batch works on rows of its own, whatever
becomes of it.
"""

from collections.abc import Iterable, Mapping, Set
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy import Connection, Delete, Insert, Table, Update, event

from gateway.store.statements import WRITTEN

if TYPE_CHECKING:  # which has batches work with what is kept
    from gateway.store.batch import RowSet

Key = TypeVar("Key")
Kind = type["RowSet[Any, Any]"]
_READING: Final = ("SELECT", "PRAGMA", "BEGIN", "SAVEPOINT", "RELEASE", "EXPLAIN")


class Kept:
    """The rows of one kind by key: at most so many, at least the half of these that were used last.

    Two generations: when the young one is half of all, it becomes the old one, and what has not been used since is gone.
    That costs less than to put each row that is used at the end of one queue.
    """

    def __init__(self, most: int) -> None:
        """Keep nothing yet."""
        self._half = most // 2
        self._young: dict[Any, object] = {}
        self._old: dict[Any, object] = {}

    def find(self, keys: Set[Key]) -> dict[Key, object]:
        """Give the rows of these keys that are kept."""
        young, old = self._young, self._old
        if young.keys() >= keys:  # as nearly always
            return dict(zip(keys, map(young.__getitem__, keys), strict=True))
        found: dict[Key, object] = {}
        for key in keys:
            row = young.get(key)
            if row is None:
                row = old.get(key)
                if row is None:
                    continue
                young, old = self._with_room()
                young[key] = row
            found[key] = row
        return found

    def settle(self, settled: Mapping[Any, object | None]) -> None:
        """Keep what the store has now; None where a row is not worth keeping any more."""
        if len(settled) > self._half:
            for key, row in settled.items():
                self.settle({key: row})
            return
        gone = [key for key, row in settled.items() if row is None]
        young, old = self._with_room(len(settled))
        young.update(settled)
        for key in gone:
            del young[key]
            old.pop(key, None)

    def _with_room(self, wanted: int = 1) -> tuple[dict[Any, object], dict[Any, object]]:
        """Give the young and the old ones; the young become the old ones where so many more are above half of all."""
        if len(self._young) + wanted > self._half:
            self._old, self._young = self._young, {}
        return self._young, self._old


class RowCache:
    """What is kept of each kind of row sets: at most so many keys as it says, those used last (`Kept`).

    The lane calls `begin` with each transaction, `commit` after its commit, and `drop` whenever it can't be sure of either; a
    batch calls the others. Used by the lane's thread alone.
    """

    def __init__(self) -> None:
        """Keep nothing yet."""
        self._rows: dict[Kind, Kept] = {}
        self._connection: Connection | None = None
        self._version: object = None
        self._settled: list[tuple[Kind, Mapping[Any, object | None]]] = []
        self._written: dict[str, set[Kind | None]] = {}
        self._unknown = False
        self._saving: Kind | None = None

    def begin(self, connection: Connection) -> None:
        """Enter a transaction, which holds the file's write lock: what is kept is what the file has, or dropped."""
        self._forget_batch()
        if connection.dialect.name != "sqlite":
            return
        if connection is not self._connection:
            self.drop()
            self._connection = connection
            connection.info[WRITTEN] = self._wrote
            event.listen(connection, "before_cursor_execute", self._see)
        version = connection.connection.cursor().execute("PRAGMA data_version").fetchone()
        if version != self._version:
            self._rows.clear()
            self._version = version

    def restore(self, row_set: "RowSet[Any, Any]", keys: set[Key]) -> set[Key]:
        """Give a row set what is kept of these keys; gives the others, which it has to load."""
        kept = self._rows.get(type(row_set))
        if kept is None:
            return keys
        found = kept.find(keys)
        row_set.restore(found)
        return keys - found.keys()

    def save(self, row_sets: Iterable["RowSet[Any, Any]"], connection: Connection) -> None:
        """Have row sets written back, in this order; what each of them writes is its own."""
        for row_set in row_sets:
            self._saving = type(row_set)
            row_set.save(connection)
            if row_set.kept:
                self._settled.append((self._saving, row_set.settled))
        self._saving = None

    def commit(self) -> None:
        """Keep what the batch read and wrote: it is in the file now. What it may have made untrue is dropped."""
        if self._connection is not None:
            for kind, settled in self._settled:
                if settled:
                    self._kept(kind).settle(settled)
            if self._written or self._unknown:
                for kind in [kind for kind in self._rows if self._is_stale(kind)]:
                    del self._rows[kind]
        self._forget_batch()

    def drop(self) -> None:
        """Keep nothing: a batch was rolled back, or nobody knows whether it was committed, or another connection comes."""
        self._rows.clear()
        self._version = None
        self._forget_batch()

    def _kept(self, kind: Kind) -> Kept:
        kept = self._rows.get(kind)
        if kept is None:
            kept = self._rows[kind] = Kept(kind.kept)
        return kept

    def _forget_batch(self) -> None:
        self._settled.clear()
        self._written.clear()
        self._unknown, self._saving = False, None

    def _is_stale(self, kind: "Kind") -> bool:
        """Tell whether somebody else than its row set wrote to a table that a kind comes from."""
        if self._unknown:
            return True
        for table in kind.reads:
            writers = self._written.get(table.name)
            if writers is not None and (len(writers) > 1 or kind not in writers):
                return True
        return False

    def _wrote(self, table: str) -> None:
        self._written.setdefault(table, set()).add(self._saving)

    def _see(self, _connection: Connection, _cursor: object, statement: str, *rest: Any) -> None:  # noqa: ANN401  (any event's)
        """Look at a statement that SQLAlchemy runs: to which table it writes, any if it can't be told."""
        _parameters, context, *_ = rest
        element = getattr(getattr(context, "compiled", None), "statement", None)
        if isinstance(element, (Insert, Update, Delete)) and isinstance(element.table, Table):
            self._wrote(element.table.name)
        elif not statement.lstrip().upper().startswith(_READING):
            self._unknown = True
