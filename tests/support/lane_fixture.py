"""A write lane on a store of its own, with the shelves of the gateway."""

import asyncio
import functools
import time
from contextlib import contextmanager

import msgspec
from sqlalchemy import inspect

from gateway.balance.line_rules import LineRules
from gateway.balance.topups import Payment, TopUp
from gateway.charity.sealed_causes import CauseSeals, read_all
from gateway.context import EVIDENCE
from gateway.ledger import account_names, accounts
from gateway.ledger.books import Books
from gateway.privacy.pseudonyms import derive
from gateway.store import nodes, unit_codec
from gateway.store.append_only import APPEND_ONLY
from gateway.store.batch import Unit, policies_of
from gateway.store.constraints import set_checks, unique_name
from gateway.store.engine import open_reader, open_writer, reading
from gateway.store.evidence import Evidence
from gateway.store.idempotency import Digests
from gateway.store.lane import Lane
from gateway.units import UNITS
from support.keys import SHARED_KEY
from support.new_stores import prepare

CAUSES = ("wateraid", "wwf")
CAUSE_SEALS = CauseSeals(SHARED_KEY.encode())
EVIDENCE_KEY = derive(SHARED_KEY.encode(), EVIDENCE)


@functools.cache
def _decoder(kind):
    return msgspec.msgpack.Decoder(kind)


class CrossingLane(Lane):
    """A lane that takes each unit as one of another process would, and answers so: written down, and read again."""

    def post(self, unit, done, **options):
        if not isinstance(unit, Unit):
            super().post(unit, done, **options)
            return
        kind = type(unit)

        def crossed(answer, error):
            if error is None and kind in UNITS:
                member = unit_codec.member_of(kind, answer)
                answer, error = unit_codec.read_answer(kind, member, unit_codec.encode(answer))
            done(answer, error)

        super().post(_decoder(kind).decode(unit_codec.encode(unit)), crossed, **options)


_FIRST = {}


def _sharing(engine):
    """Let an engine use what SQLAlchemy compiled for the first of its kind: a statement takes longer to compile than to run."""
    first = _FIRST.setdefault(engine.dialect.name, engine)
    engine.dialect, engine._compiled_cache = first.dialect, first._compiled_cache
    return engine


def unguard(connection):
    """Take away the triggers and constraints of a store."""
    set_checks(connection, "transfers", {})
    tables = [table for table in inspect(connection).get_table_names() if table.startswith("transfers")]
    for table in tables:
        connection.exec_driver_sql(f"DROP INDEX IF EXISTS {unique_name(table)}")
    for table in APPEND_ONLY:
        for what in ("unchanged", "kept"):
            where = f" ON {table}" if connection.dialect.name == "postgresql" else ""
            connection.exec_driver_sql(f"DROP TRIGGER {table}_{what}{where}")


class Ticks:
    """A clock in microseconds, a millisecond further each time that it is looked at."""

    def __init__(self, now):
        self.now = now

    def __iter__(self):
        return self

    def __next__(self):
        self.now += 1_000
        return self.now

    def skip(self, seconds):
        """Let time pass."""
        self.now += seconds * 1_000_000


class Workplace:
    """An open store: its engines, its lane, its books; `now` is the clock in microseconds."""

    def __init__(self, url, node="ocs.test.example", now=1_700_000_000_000_000, **lane_options):
        self.url = url
        self.writer, self.reader = _sharing(open_writer(url)), _sharing(open_reader(url))
        prepare(self.writer)
        self.ticks = Ticks(now)
        self.alarms = []
        with self.writer.begin() as connection:
            self.node = nodes.enter(connection, node, next(self.ticks))
        with self.writer.begin() as connection:
            opened = accounts.ensure(connection, [*account_names.SYSTEM, *map(accounts.cause_account, CAUSES)])
            Evidence(EVIDENCE_KEY, self.node.id).append(connection, {"accounts": opened.made}, next(self.ticks))
            self.accounts = opened.numbers
        self.books = Books(self.accounts)
        self.digests = Digests(b"a key of tests alone")
        self.lane = CrossingLane(
            self.writer,
            self.node,
            clock=lambda: next(self.ticks),
            monotonic=time.monotonic,
            alarm=lambda event, detail: self.alarms.append((event, detail)),
            policies=policies_of(self.books, self.digests, CAUSE_SEALS, LineRules()),
            evidence=Evidence(EVIDENCE_KEY, self.node.id),
            **lane_options,
        )

    def decide_by(self, *policies):
        """Have units decided by these policies from now on."""
        self.lane.policies = {**self.lane.policies, **policies_of(*policies)}

    def top_up(self, number, amount, reference, channel="tpo", currency="GBP", key=None, limit=5_000_000_000):
        """Pay in so many micro-units by a channel."""
        payment = Payment(channel, reference, amount, currency)
        return self.lane.run(TopUp("msisdn", number, payment, limit, idempotency_key=key))

    def read(self, statement):
        with self.reader.connect() as connection:
            return connection.execute(statement).all()

    async def read_async(self, look):
        """Run a function with a connection for reports, beside the loop."""

        def run():
            with reading(self.reader) as connection:
                return look(connection)

        return await asyncio.to_thread(run)

    def unguard(self):
        """Take away the triggers that keep the books append-only, as whoever tampers with them would."""
        with self.writer.begin() as connection:
            unguard(connection)

    def close(self):
        self.lane.close()
        self.writer.dispose()
        self.reader.dispose()


@contextmanager
def workplace(url, **options):
    """Open a workplace and start its lane."""
    place = Workplace(url, **options)
    place.lane.start()
    try:
        yield place
    finally:
        place.close()


def chosen(place):
    """What customers chose: who, which cause, and its share in basis points."""
    with place.reader.connect() as connection:
        return [(each.subscriber_id, each.cause, each.share) for each in read_all(connection, CAUSE_SEALS)]
