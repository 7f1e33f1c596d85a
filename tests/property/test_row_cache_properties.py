"""Rows in memory change nothing: whatever units do and whatever befalls them, the store is as it would be without."""

import itertools
import shutil
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text, update
from sqlalchemy.exc import OperationalError
from support.charging_fixture import ChargingPlace, ccr, service
from support.session_play import CONTEXTS, CUSTOMERS, SESSIONS, blank_store, folder

from gateway.balance.changes import ChooseCauses
from gateway.balance.opening_balances import Enrol, Enrolment
from gateway.balance.topups import Payment, TopUp
from gateway.balance.wallets import WalletRows
from gateway.charging.credit_control import CreditControlUnit
from gateway.charging.gy import ccr as gy_ccr
from gateway.charging.session import SessionRows
from gateway.charging.session_expiry import ExpireSession
from gateway.charity.choices import Share
from gateway.store import tables
from gateway.store.batch import RowSet, Unit
from gateway.store.row_cache import RowCache
from gateway.subscribers.identifier_history import IdentifierRows
from protocols.diameter.codec import FLAG_PROXIABLE, FLAG_REQUEST, encode_message
from protocols.diameter.generated import decode, encode
from protocols.diameter.messages import CreditControlRequest

LOOKED_AT = (
    tables.wallets,
    tables.sessions,
    tables.transfers,
    tables.usage,
    tables.lines,
    tables.choices,
    tables.answers,
)


class Culprit(Unit):
    """Changes what it touches, then fails: its batch is rolled back."""

    touches = (IdentifierRows, WalletRows, SessionRows)

    msisdn: str
    session_id: str

    def keys(self, row_set, batch):
        if isinstance(row_set, IdentifierRows):
            return (self.msisdn,)
        owner = batch.row_set(IdentifierRows).owner("msisdn", self.msisdn, batch.now)
        return (self.session_id,) if isinstance(row_set, SessionRows) else () if owner is None else (owner,)

    def decide(self, batch):
        for wallet in batch.row_set(WalletRows).rows.values():
            wallet.move(-1)
        for session in batch.row_set(SessionRows).rows.values():
            session.last_number, session.changed = session.last_number + 7, True
        batch.row_set(IdentifierRows).end("msisdn", self.msisdn, batch.now)
        raise ValueError("a fault of this unit alone")


class OnSets(Unit):
    """Works on a table by itself, in one of the ways that there are."""

    alone = True

    way: int

    def decide(self, batch):
        rows, amount = tables.wallets, 1000
        if self.way == 0:
            batch.connection.execute(update(rows).values(balance=rows.c.balance + amount))
        elif self.way == 1:
            batch.connection.execute(
                text(f"WITH more AS (SELECT {amount} AS n) UPDATE wallets SET balance = balance + n FROM more")
            )
        elif self.way == 2:
            batch.connection.exec_driver_sql("UPDATE sealed_choices SET share = 5000")
        else:
            batch.connection.execute(update(tables.subscribers).values(status="suspended"))


NUMBERS = st.integers(0, len(CUSTOMERS) - 1)
PLACES = st.integers(0, len(SESSIONS) - 1)
UNITS = st.one_of(
    st.tuples(st.just("ccr"), PLACES, st.sampled_from([1, 2, 2, 2, 3]), st.integers(0, 3_000_000)),
    st.tuples(st.just("ccr"), PLACES, st.just(2), st.integers(0, 3_000_000)),
    st.tuples(st.just("top up"), NUMBERS, st.integers(1, 1_000_000)),
    st.tuples(st.just("choose"), NUMBERS, st.sampled_from(["wateraid", "wwf"])),
    st.tuples(st.just("expire"), PLACES),
    st.tuples(st.just("culprit"), NUMBERS, PLACES),
    st.tuples(st.just("enrol"), st.integers(0, 3)),
)
STEPS = st.one_of(
    st.tuples(st.just("batch"), st.lists(UNITS, min_size=1, max_size=6)),
    st.tuples(st.just("batch"), st.lists(UNITS, min_size=1, max_size=6)),
    st.tuples(st.just("commit fails"), st.lists(UNITS, min_size=1, max_size=3), st.booleans()),
    st.tuples(st.just("alone"), st.integers(0, 3)),
    st.tuples(st.just("another writer")),
    st.tuples(st.just("reconnect")),
)


class WithoutMemory(RowCache):
    """Keeps nothing."""

    def restore(self, row_set, keys):
        return keys


class Store(ChargingPlace):
    """A store whose lane is stepped, so that two of them take the same steps at the same times."""

    def __init__(self, path, cache):
        super().__init__(f"sqlite:///{path}")
        self.unguard()
        self.lane._transactions._cache = cache
        self.numbers = [itertools.count() for _ in SESSIONS]
        self.outcomes, self.references = [], itertools.count()
        for imsi, msisdn, plan in CUSTOMERS:
            self.post(Enrol(Enrolment(msisdn, imsi, f"8944{imsi}", plan, "wateraid", 9_000_000), "GBP"))
        self.work()

    def post(self, unit):
        self.lane.post(unit, lambda answer, error: self.outcomes.append((answer, type(error))))

    def work(self):
        while self.lane.run_pending():
            pass

    def unit(self, kind, *given):
        match kind, *given:
            case "ccr", place, request_type, octets:
                name, owner, _ = SESSIONS[place]
                asked = service(10, [] if request_type == 1 else [octets], None if request_type == 3 else 0)
                more = {"session": name, "imsi": CUSTOMERS[owner][0], "msisdn": CUSTOMERS[owner][1]}
                message = ccr(request_type, next(self.numbers[place]), asked, context=CONTEXTS["data"], **more)
                frame = encode_message(FLAG_REQUEST | FLAG_PROXIABLE, 272, 4, 1, 1, encode(message))
                read = decode(CreditControlRequest, frame)
                return CreditControlUnit(gy_ccr.read(read, "pgw.host.example", next(self.ticks), "GB"))
            case "top up", number, amount:
                payment = Payment("tpo", str(next(self.references)), amount, "GBP")
                return TopUp("msisdn", CUSTOMERS[number][1], payment, 5_000_000_000, idempotency_key=None)
            case "choose", number, cause:
                return ChooseCauses("msisdn", CUSTOMERS[number][1], (Share(cause, 10_000),))
            case "expire", place:
                return ExpireSession(SESSIONS[place][0])
            case "culprit", number, place:
                return Culprit(CUSTOMERS[number][1], SESSIONS[place][0])
            case "enrol", number:
                imsi = f"23415000000010{number}"
                row = Enrolment(f"44770090010{number}", imsi, f"8944{imsi}", "payg-gb", "wwf", 5)
                return Enrol(row, "GBP")

    def take(self, kind, *given):
        match kind, *given:
            case "batch", units:
                for each in units:
                    self.post(self.unit(*each))
            case "commit fails", units, done:
                for each in units:
                    self.post(self.unit(*each))
                with self.failing_commit(done):
                    self.work()
            case "alone", way:
                self.post(OnSets(way))
            case ("another writer",):
                with self.writer.begin() as connection:
                    connection.execute(update(tables.wallets).values(balance=tables.wallets.c.balance - 3))
            case ("reconnect",):
                self.lane._transactions.let_go()
        self.work()

    def failing_commit(self, done):
        dialect = self.writer.dialect
        original = dialect.do_commit

        def fail(connection):
            if done:
                original(connection)
            raise OperationalError("COMMIT", {}, Exception("the disk went away"))

        return patch.object(dialect, "do_commit", fail)

    def content(self):
        with self.reader.connect() as connection:
            return {each.name: connection.execute(each.select()).all() for each in LOOKED_AT}

    def close(self):
        self.lane._transactions.let_go()
        self.writer.dispose()
        self.reader.dispose()


@pytest.fixture(scope="module")
def blank():
    with folder() as path:
        blank_store(path / "blank.db")
        yield path


@settings(max_examples=40)
@given(st.lists(STEPS, min_size=2, max_size=12))
def test_a_store_is_the_same_with_rows_in_memory_as_without(blank, steps):
    stores = []
    for name, cache in (("with", RowCache()), ("without", WithoutMemory())):
        shutil.copy(blank / "blank.db", blank / name)
        stores.append(Store(blank / name, cache))
    try:
        for step in steps:
            for store in stores:
                store.take(*step)
            assert stores[0].outcomes == stores[1].outcomes
            assert stores[0].content() == stores[1].content()
    finally:
        for store in stores:
            store.close()
            for file in blank.glob(f"{store.lane._transactions._engine.url.database.rpartition('/')[2]}*"):
                file.unlink()


@settings(max_examples=40)
@given(st.lists(STEPS, min_size=2, max_size=12))
def test_what_is_in_memory_is_what_the_store_has(blank, steps):
    shutil.copy(blank / "blank.db", blank / "one")
    store = Store(blank / "one", RowCache())
    try:
        for step in steps:
            store.take(*step)
            with store.writer.begin() as connection:
                for kind, kept in store.lane._transactions._cache._rows.items():
                    rows = {**kept._old, **kept._young}
                    fresh: RowSet = kind()
                    fresh.policies = store.lane.policies
                    fresh.load(connection, set(rows))
                    if step[0] != "another writer":
                        assert rows == {key: fresh.settled[key] for key in rows}
    finally:
        store.close()
        for file in blank.glob("one*"):
            file.unlink()
