"""Seal the months of a workplace's store, one after the other, without a daemon."""

import sqlite3
from contextlib import closing, suppress
from datetime import UTC, datetime
from itertools import count

import msgspec
from sqlalchemy import delete, func, insert, select, text

from gateway.charging import usage_export
from gateway.charity.check_public_sums import _given
from gateway.charity.publication import MARK, carried_owner
from gateway.context import EVIDENCE
from gateway.ledger import balances, journal
from gateway.ledger.checks.marks import COUNTED_SINCE
from gateway.ledger.seals import SealKey, WriteSeal, due_with_usage
from gateway.privacy.pseudonyms import derive
from gateway.store.append_only import APPEND_ONLY, recreate
from gateway.store.engine import open_writer, sqlite_path
from gateway.store.evidence import COVERED
from gateway.store.evidence_backfill import TABLES, prove, prove_all
from gateway.store.nodes import SPAN_BITS, in_shard
from gateway.store.sealed_months.next_month import next_month
from gateway.store.sealed_months.records import JOURNAL, USAGE, folder_of, sealed_months
from gateway.store.sealed_months.units import RemoveSealed, SealMonth
from gateway.store.sealed_months.writing import Comparison, FileWriter
from gateway.store.tables import chains, evidence, marks, nodes, releases, seals, transfers, unpublished_sums
from support.lane_fixture import EVIDENCE_KEY


def at(*date):
    """Give a time in UTC microseconds."""
    return int(datetime(*date, tzinfo=UTC).timestamp()) * 1_000_000


def seal_day(place, now, key=EVIDENCE_KEY):
    """Seal the day before a time, as a gateway does once it is over: until then no usage goes. `place` has lane and node."""
    connect = place.reading if hasattr(place, "reading") else place.reader.connect
    with connect() as connection:
        found, usage = due_with_usage(connection, place.node.id, now)
    assert found is not None
    assert write_seal(place, SealKey(key).sign(place.node.id, *found), now, usage=usage)


def write_seal(place, seal, now, **parts):
    """Write a seal down at its own time, whatever the clock of a place says; one of a context has the time itself."""
    before = getattr(place, "ticks", None)
    if before is not None:
        place.ticks = count(now, 1_000)
    try:
        return place.lane.run(WriteSeal(seal, "ocs", **parts))
    finally:
        if before is not None:
            place.ticks = before


def publish_all(writer, seals=None):
    """Note that everything so far was published, too little of each cause for a figure.

    What is carried on is written where there are `seals` for it: a check would miss it.
    """
    with writer.begin() as connection:
        for node in connection.scalars(select(nodes.c.id)).all():
            last = connection.scalar(select(func.max(transfers.c.id)).where(*in_shard(transfers.c.id, node)))
            connection.execute(delete(marks).where(marks.c.node == node, marks.c.name == MARK))
            connection.execute(insert(marks).values(node=node, name=MARK, value=last or node << SPAN_BITS))
        for (cause, currency), amount in (_given(connection) if seals else {}).items():
            parts = seals.seal_octets(msgspec.msgpack.encode({}), carried_owner(cause, currency))
            row = {"cause": cause, "currency": currency, "amount": amount, "parts": parts}
            connection.execute(insert(unpublished_sums).values(row))


def run(steps):
    """Do all steps of a work; gives how many there were."""
    done = 1
    while steps.advance():
        done += 1
    return done


def write(store, span):
    """Write both files of a month."""
    files = []
    for content in (JOURNAL, USAGE):
        writer = FileWriter(store, span, content)
        run(writer)
        files.append(writer.finish(1))
    return files


def next_of(place, before):
    with place.reader.connect() as connection:
        return next_month(connection, before, MARK)


def months_of(place):
    with place.reader.connect() as connection:
        return sealed_months(connection)


def seal_one(place, before, remove=True):
    """Seal the next month; gives it, None where there is none."""
    span = next_of(place, before)
    if span is None:
        return None
    store = sqlite_path(place.url)
    place.lane.run(SealMonth(write(store, span)))
    if remove:
        remove_rows(place, span.period)
    return span.period


def remove_rows(place, period, limit=250):
    """Delete a sealed month's rows from the store; gives how many steps that took."""
    store, steps = sqlite_path(place.url), 0
    month = next(month for month in months_of(place) if month.period == period)
    for file in month.files:
        run(Comparison(store, folder_of(store) / file.file, file.content, file.ranges))
    while place.lane.run(RemoveSealed(period, limit)):
        steps += 1
    return steps


def seal_all(place, before):
    """Publish and seal every month that ended before a time; gives their names."""
    publish_all(place.writer)
    sealed = []
    while (period := seal_one(place, before)) is not None:
        sealed.append(period)
    return sealed


def folder(place):
    return folder_of(sqlite_path(place.url))


def rows_in_store(place):
    """Count the rows that the store's own tables have."""
    with place.writer.connect() as connection, suppress(StopIteration):
        return {
            table: connection.execute(text(f"SELECT count(*) FROM main.{table}")).scalar()
            for table in ("transfers", "usage")
        }


def reports(connection):
    """What the journal, the balances and the export tell of everything."""
    return (
        journal.read(connection, after=0, limit=100_000, causes=True),
        balances.balances(connection, after=0, limit=100_000),
        usage_export.read(connection, after=0, limit=100_000, start=None, end=None),
    )


def age(store, days):
    """Make the books of a stopped gateway old: its first entry by so many days, the latest not at all, in the same order."""
    with closing(sqlite3.connect(store)) as connection, connection:
        first, last = connection.execute("SELECT min(at), max(at) FROM transfers").fetchone()
        factor = days * 86_400_000_000 // (last - first)
        older = f"{last} - ({last} - {{0}}) * {factor}"
        for table in ("transfers", "usage", "sealed_choices"):
            connection.execute(f"DROP TRIGGER {table}_unchanged")
        connection.execute(f"UPDATE transfers SET at = {older.format('at')}, event_at = {older.format('event_at')}")
        connection.execute(f"UPDATE usage SET event_at = {older.format('event_at')}")
        connection.execute(f"UPDATE sessions SET opened_at = {older.format('opened_at')}")
        for table in ("sealed_choices", "subscriptions", "lines"):
            connection.execute(f"UPDATE {table} SET valid_from = {older.format('valid_from')}")
        # What wallets counted this month is now of many: their sums count from here on.
        connection.execute(
            "INSERT OR REPLACE INTO marks (node, name, value) VALUES (0, ?, ?)", (COUNTED_SINCE, last + 1)
        )
    prove_again(store, store.with_name("tpo.key").read_bytes().strip())


def prove_again(store, master_key):
    """Prove the rows of a stopped gateway's store as they are now, as if all were of before there was evidence."""
    writer = open_writer(f"sqlite:///{store}", existing=True)
    with writer.begin() as connection:
        for table in (evidence, chains, seals, releases):
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {table.name}_kept")
            connection.execute(delete(table))
        key = derive(master_key, EVIDENCE)
        prove_all(connection, key)
        prove(connection, key, [table for table in COVERED if table not in (*TABLES, str(releases.name))])
        for table in APPEND_ONLY:
            recreate(connection, table)
    writer.dispose()


def unmoved(store, least):
    """Count the files of which rows may still be in a gateway's store; None before there are as many as there will be."""
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
        found = connection.execute("SELECT count(*), count(removed_at) FROM sealed_files").fetchone()
    return found[0] - found[1] if found[0] >= least else None
