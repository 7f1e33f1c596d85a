"""Triggers that keep what was booked as it was: no row of these tables is changed, and none deleted but where that is due.

They guard against mistakes, in a program or at a prompt; who takes them away is found by `ledger check`, and what was done.
Rows go when their month stands in sealed files (SQLite), when the retention of usage is over, or when a customer is erased.
A server moves rows from a table's default partition into their month's, which says so by the setting `tpo.moving`.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from sqlalchemy import Connection, text

from gateway.store.nodes import SPAN_BITS

APPEND_ONLY: Final = (
    "transfers",
    "usage",
    "sealed_choices",
    "payments",
    "evidence",
    "seals",
    "releases",
    "reratings",
    "allowance_entries",
    "bills",
    "bill_events",
    "bill_limits",
    "erasures",
    "tax_areas",
    "tax_days",
    "added_taxes",
    "row_trees",
)
SEALED: Final = "sealed.numbers"
"""The mark up to which a node's rows stand in sealed files."""
RELEASED: Final = "usage.released"
"""The mark (node 0) before which usage may go, UTC microseconds."""
ERASING: Final = "erasing"
"""The mark (node 0) of the customer whose choices may go; it stands in the transaction alone in which they do."""
FUNCTION: Final = "tpo_append_only"
MOVING: Final = "SELECT set_config('tpo.moving', :moving, true)"
_IS_SEALED: Final = (
    f"EXISTS (SELECT 1 FROM marks WHERE node = OLD.id >> {SPAN_BITS} AND name = '{SEALED}' AND value >= OLD.id)"  # noqa: S608  (ours)
)
_IS_RELEASED: Final = f"EXISTS (SELECT 1 FROM marks WHERE node = 0 AND name = '{RELEASED}' AND value > OLD.event_at)"  # noqa: S608  (ours)
_IS_ERASED: Final = f"EXISTS (SELECT 1 FROM marks WHERE node = 0 AND name = '{ERASING}' AND value = OLD.subscriber_id)"  # noqa: S608  (ours)
_DUE: Final[Mapping[str, str]] = {
    "transfers": _IS_SEALED,
    "usage": f"({_IS_SEALED} OR {_IS_RELEASED})",
    "sealed_choices": _IS_ERASED,
}
_SERVER_FUNCTION: Final = f"""
CREATE OR REPLACE FUNCTION {FUNCTION}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('tpo.moving', true) = 'on' THEN
        RETURN OLD;
    END IF;
    IF TG_OP = 'DELETE' AND TG_ARGV[0] = 'usage' THEN
        IF {_IS_RELEASED} THEN
            RETURN OLD;
        END IF;
    END IF;
    IF TG_OP = 'DELETE' AND TG_ARGV[0] = 'sealed_choices' THEN
        IF {_IS_ERASED} THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_ARGV[0] USING ERRCODE = 'restrict_violation';
END $$
"""


def names() -> set[str]:
    """Name all triggers."""
    return {f"{table}_{what}" for table in APPEND_ONLY for what in ("unchanged", "kept")}


def create(connection: Connection, tables: Iterable[str]) -> None:
    """Make the triggers of the first tables that had any; later steps `add` to them."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(_SERVER_FUNCTION))
    add(connection, tables)


def add(connection: Connection, tables: Iterable[str]) -> None:
    """Make the triggers of tables; one that SQLite writes anew (alter by copy) loses its own, and needs `recreate`."""
    for table in tables:
        for statement in _statements(connection.dialect.name, table):
            connection.exec_driver_sql(statement)


def recreate(connection: Connection, table: str) -> None:
    """Make those of one table again, in a step that made it, changed its rows, or copied it (SQLite's way to alter one)."""
    drop(connection, table)
    if connection.dialect.name == "postgresql":
        connection.execute(text(_SERVER_FUNCTION))
    for statement in _statements(connection.dialect.name, table):
        connection.exec_driver_sql(statement)


def drop(connection: Connection, table: str) -> None:
    """Take those of one table away, in a step that changes its rows."""
    on = f" ON {table}" if connection.dialect.name == "postgresql" else ""
    for what in ("unchanged", "kept"):
        connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {table}_{what}{on}")


def missing(connection: Connection) -> list[str]:
    """Name the triggers that are not there, are switched off, or do otherwise than ours under their names."""
    if connection.dialect.name == "sqlite":
        there = dict(map(tuple, connection.execute(text(_FILE_TRIGGERS))))
        ours = (statement for table in APPEND_ONLY for statement in _statements("sqlite", table))
        return sorted(each.split()[2] for each in ours if there.get(each.split()[2]) != each)
    body = _SERVER_FUNCTION.split("$$")[1]
    good = connection.execute(text(_SERVER_TRIGGERS), {"function": FUNCTION, "body": body}).scalars()
    return sorted(names() - set(good))


def strange(connection: Connection) -> list[str]:
    """Name triggers, and a server's rules, that no step of the tables made: they do something whenever rows are written."""
    there = _FILE_TRIGGERS if connection.dialect.name == "sqlite" else _SERVER_STRANGERS
    return sorted({name for name, *_ in connection.execute(text(there))} - names())


_FILE_TRIGGERS: Final = "SELECT name, sql FROM main.sqlite_schema WHERE type = 'trigger'"
_SERVER_TRIGGERS: Final = """
SELECT t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
WHERE c.oid = to_regclass(quote_ident(c.relname)) AND t.tgenabled IN ('O', 'A') AND t.tgparentid = 0 AND NOT t.tgisinternal
AND p.proname = :function AND p.prosrc = :body AND t.tgqual IS NULL AND t.tgattr::text = ''
AND t.tgname = c.relname || CASE t.tgtype WHEN 11 THEN '_kept' WHEN 19 THEN '_unchanged' END
AND encode(t.tgargs, 'hex') = encode(convert_to(c.relname, 'UTF8'), 'hex') || '00'
AND NOT EXISTS (SELECT 1 FROM pg_trigger part WHERE part.tgparentid = t.oid AND part.tgenabled NOT IN ('O', 'A'))
"""
"""Those that are ours: of the right table, event (pg_trigger.tgtype: for each row, before, delete or update) and function."""
_SERVER_STRANGERS: Final = """
SELECT t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE c.relnamespace = current_schema()::regnamespace AND t.tgparentid = 0 AND NOT t.tgisinternal
UNION ALL SELECT rulename FROM pg_rules WHERE schemaname = current_schema()
"""


def _statements(dialect: str, table: str) -> tuple[str, str]:
    if dialect == "postgresql":
        call = f"FOR EACH ROW EXECUTE FUNCTION {FUNCTION}('{table}')"
        return (
            f"CREATE TRIGGER {table}_unchanged BEFORE UPDATE ON {table} {call}",
            f"CREATE TRIGGER {table}_kept BEFORE DELETE ON {table} {call}",
        )
    refuse = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    due = f"WHEN NOT {_DUE[table]} " if table in _DUE else ""
    return (
        f"CREATE TRIGGER {table}_unchanged BEFORE UPDATE ON {table} {refuse}",
        f"CREATE TRIGGER {table}_kept BEFORE DELETE ON {table} {due}{refuse}",
    )


def raise_mark(connection: Connection, node: int, name: str, value: int) -> None:
    """Let rows go up to a value of SEALED or RELEASED."""
    mark = {"node": node, "name": name, "value": value}
    greater = text("UPDATE marks SET value = :value WHERE node = :node AND name = :name")
    if not connection.execute(greater, mark).rowcount:
        connection.execute(text("INSERT INTO marks (node, name, value) VALUES (:node, :name, :value)"), mark)
