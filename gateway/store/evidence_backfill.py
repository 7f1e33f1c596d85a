"""Prove what stands in a store without evidence: what was booked before there was any (the step 0021)."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Connection, insert, inspect, null, select, text

from gateway.store.evidence import COVERED, Covered, Evidence
from gateway.store.nodes import SPAN_BITS
from gateway.store.releases import UNPROVED
from gateway.store.tables import releases

LINK: Final = 4096
"""Rows of one link."""
TABLES: Final = (
    "transfers",
    "usage",
    "choices",
    "accounts",
    "wallets",
    "versions",
    "reratings",
    "allowance_entries",
)


def needs_proof(connection: Connection, tables: Sequence[str] = TABLES) -> bool:
    """Tell whether there is anything to be proved; without a node nothing was ever booked by a gateway."""
    has_nodes = connection.execute(text("SELECT EXISTS (SELECT 1 FROM nodes)")).scalar()
    return bool(has_nodes) and any(
        connection.execute(text(f"SELECT EXISTS (SELECT 1 FROM {table})")).scalar()  # noqa: S608  (names of ours)
        for table in tables
    )


def prove(connection: Connection, key: bytes, tables: Sequence[str]) -> None:
    """Append links for all rows of tables as they are found, to the chain of the node that numbered them.

    Rows that change are not numbered by the node that writes them, or not written by it alone: the first chain has them.
    """
    nodes = list(connection.execute(text("SELECT id FROM nodes ORDER BY id")).scalars())
    at = int(connection.execute(text("SELECT coalesce(max(at), 0) FROM transfers")).scalar_one())
    for node in nodes:
        _prove(connection, Evidence(key, node), tables, at, is_first=node == nodes[0])


def prove_all(connection: Connection, key: bytes) -> None:
    """Append links for all rows that the first step of evidence (0021) proves.

    Rows in sealed files have the files' digests; it is noted up to which number that is so.
    """
    nodes = list(connection.execute(text("SELECT id FROM nodes ORDER BY id")).scalars())
    at = int(connection.execute(text("SELECT coalesce(max(at), 0) FROM transfers")).scalar_one())
    sealed = sealed_until(connection)
    for node in nodes:
        chain = Evidence(key, node)
        if node in sealed:
            number = text("UPDATE nodes SET next_id = next_id + 1 WHERE id = :node RETURNING next_id - 1")
            row = (connection.execute(number, {"node": node}).scalar_one(), at, UNPROVED, node, sealed[node])
            connection.execute(insert(releases).values(row))
            chain.append(connection, {"releases": [row]}, at)
        _prove(connection, chain, TABLES, at, is_first=node == nodes[0])


def _prove(connection: Connection, chain: Evidence, tables: Sequence[str], at: int, *, is_first: bool) -> None:
    for covered in (COVERED[name] for name in tables if is_first or not COVERED[name].changes):
        for rows in _rows(connection, covered, None if covered.changes else chain.node):
            chain.append(connection, {str(covered.table.name): rows}, at)


def sealed_until(connection: Connection) -> dict[int, int]:
    """Give up to which number each node's rows stand in sealed files."""
    ranges = connection.execute(text("SELECT ranges FROM sealed_files ORDER BY period")).scalars()
    return {last >> SPAN_BITS: last for each in ranges for _, last in json.loads(each)}


def _rows(connection: Connection, covered: Covered, node: int | None) -> Iterator[list[tuple[Any, ...]]]:
    """Give what is proved of a table's rows, some at a time; a column that a later step adds is empty in them."""
    identifier = covered.columns[0]
    there = {column["name"] for column in inspect(connection).get_columns(str(covered.table.name))}
    columns = [column if column.name in there else null().label(column.name) for column in covered.columns]
    after = -1 if node is None else (node << SPAN_BITS) - 1
    while True:
        wanted = select(*columns).select_from(covered.table).where(identifier > after)
        if node is not None:
            wanted = wanted.where(identifier < (node + 1) << SPAN_BITS)
        rows = [tuple(row) for row in connection.execute(wanted.order_by(identifier).limit(LINK))]
        if not rows:
            return
        yield rows
        after = rows[-1][0]
